//! Compares output with what a document expects.
//!
//! `…` stands for anything within a line, and a line of only `…` for any number of lines.

use anyhow::ensure;

const ANYTHING: char = '…';

/// Expects `output` to match `expected` from beginning to end.
pub fn whole(output: &str, expected: &str) -> anyhow::Result<()> {
    let (lines, patterns): (Vec<_>, Vec<_>) =
        (output.trim_end().lines().collect(), expected.trim_end().lines().collect());
    ensure!(lines_match(&lines, &patterns), "expected the output\n{expected}\nbut got\n{output}");
    Ok(())
}

fn lines_match(lines: &[&str], patterns: &[&str]) -> bool {
    let Some((pattern, patterns)) = patterns.split_first() else {
        return lines.is_empty();
    };
    if pattern.trim() == ANYTHING.to_string() {
        return (0..=lines.len()).any(|skipped| lines_match(&lines[skipped..], patterns));
    }
    let Some((first, lines)) = lines.split_first() else {
        return false;
    };
    line(first, pattern) && lines_match(lines, patterns)
}

/// Whether a line matches `pattern`.
pub fn line(line: &str, pattern: &str) -> bool {
    let (line, pattern) = (line.trim_end(), pattern.trim_end());
    let Some((start, rest)) = pattern.split_once(ANYTHING) else {
        return line == pattern;
    };
    let Some(mut left) = line.strip_prefix(start) else {
        return false;
    };
    let mut pieces: Vec<_> = rest.split(ANYTHING).collect();
    let end = pieces.pop().unwrap_or_default();
    for piece in pieces {
        let Some(at) = left.find(piece) else {
            return false;
        };
        left = &left[at + piece.len()..];
    }
    left.ends_with(end)
}
