//! The code blocks of a document, and what is to be done with each.
//!
//! A reader sees only the language of a block; what follows it in the info string is for this.

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

/// What is to be done with a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `console`: it is run, and has to succeed.
    Run,
    /// `console background`: it is started, and runs until the document ends.
    Background,
    /// `console elsewhere`: it needs what this machine may not have.
    Elsewhere,
    /// `text`: what the block before it prints.
    Expected,
    /// `text log`: what the command in the background prints.
    Log,
    /// `… file=PATH`: it is a file.
    File(PathBuf),
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

/// `None` for a block that is only to be read: one of another language, or an `example`.
fn kind(info: &str, line: usize) -> anyhow::Result<Option<Kind>> {
    let (language, rest) = info.split_once(' ').unwrap_or((info, ""));
    Ok(Some(match (language, rest) {
        ("console", "") => Kind::Run,
        ("console", "background") => Kind::Background,
        ("console", "elsewhere") => Kind::Elsewhere,
        ("text", "") => Kind::Expected,
        ("text", "log") => Kind::Log,
        (_, rest) if rest.starts_with("file=") => Kind::File(rest["file=".len()..].into()),
        (_, "" | "example") => return Ok(None),
        _ => bail!("line {line}: nothing is known of a block of {info:?}"),
    }))
}
