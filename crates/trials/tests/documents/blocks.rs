//! The code blocks of a document, and what the test does with each.
//!
//! A reader sees only the language of a block; the rest of the info string is for the test.

use std::path::PathBuf;

use anyhow::bail;
use pulldown_cmark::{CodeBlockKind, Event, Parser, Tag, TagEnd};

/// A code block.
#[derive(Clone, Debug)]
pub struct Block {
    pub kind: Kind,
    pub text: String,
    /// The line of the document that it begins on.
    pub line: usize,
}

/// What the test does with a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `console`: run it; it has to succeed.
    Run,
    /// `console fails`: run it; it has to fail.
    Fail,
    /// `console background`: start it, and stop it when the document ends.
    Background,
    /// `console elsewhere`: check its syntax only; it needs something that this machine may lack.
    Elsewhere,
    /// `text`: compare it with the output of the block before.
    Expected,
    /// `text log`: wait until the command in the background prints it.
    Log,
    /// `… file=PATH`: write it to this file.
    File(PathBuf),
    /// `diff file=PATH`: change this file as a reader does in an editor.
    Edit(PathBuf),
}

/// The blocks of a document, in its order.
pub fn read(markdown: &str) -> anyhow::Result<Vec<Block>> {
    let mut blocks = Vec::new();
    let mut open: Option<Block> = None;
    for (event, range) in Parser::new(markdown).into_offset_iter() {
        match event {
            Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(info))) => {
                let line = markdown[..range.start].matches('\n').count() + 1;
                let kind = kind(&info, line)?;
                open = kind.map(|kind| Block { kind, text: String::new(), line });
            }
            Event::Text(text) => {
                if let Some(block) = &mut open {
                    block.text += &text;
                }
            }
            Event::End(TagEnd::CodeBlock) => blocks.extend(open.take()),
            _ => {}
        }
    }
    Ok(blocks)
}

/// `None` for a block that is for readers only: another language, or an `example`.
fn kind(info: &str, line: usize) -> anyhow::Result<Option<Kind>> {
    let (language, rest) = info.split_once(' ').unwrap_or((info, ""));
    Ok(Some(match (language, rest) {
        ("console", "") => Kind::Run,
        ("console", "fails") => Kind::Fail,
        ("console", "background") => Kind::Background,
        ("console", "elsewhere") => Kind::Elsewhere,
        ("text", "") => Kind::Expected,
        ("text", "log") => Kind::Log,
        (_, "" | "example") => return Ok(None),
        _ => match (language, rest.strip_prefix("file=")) {
            ("diff", Some(path)) => Kind::Edit(path.into()),
            (_, Some(path)) => Kind::File(path.into()),
            _ => bail!("line {line}: unknown info string {info:?}"),
        },
    }))
}
