//! Runs `tesseract`, and `pdftoppm` for a page of PDF, each within limits of time and memory.
//!
//! They read their input from a pipe and write no files. They end with the call: who gives up
//! leaves no process behind.

use std::{io, process::Stdio, sync::Arc, thread::available_parallelism, time::Duration};

use hyper::body::Bytes;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _},
    process::Command,
    sync::Semaphore,
    time::timeout,
};

use super::document::{Document, Format, Refused};

/// The time that a page may take, shorter than callers wait. More is a retry.
const TIMEOUT: Duration = Duration::from_secs(40);
/// The most that a program writes: a page of text, or a picture of a page.
const MAX_OUTPUT_BYTES: u64 = 64 << 20;
/// Limits the memory to 1 GB, and the processor's time to 20 s. A receipt needs far less.
const LIMITED: &str = r#"{ ulimit -v 1048576; ulimit -t 20; } 2> /dev/null; exec "$0" "$@""#;
/// The status by which a shell says that there is no such program.
const NOT_FOUND: i32 = 127;
/// The longest side of the picture of a page of PDF: 300 dots per inch for a sheet of A4.
const PDF_SIDE: &str = "3508";
/// A single column of text whose sizes differ.
const COLUMN: &str = "4";

/// `tesseract`, as often at a time as there are cores.
#[derive(Clone, Debug)]
pub struct Tesseract(Arc<Semaphore>);

/// What is printed on a page.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// Its lines, from top to bottom.
    pub lines: Vec<Line>,
}

/// A line of text.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// The text.
    pub text: String,
    /// How sure it is, in percent.
    pub confidence: f64,
    /// Left, top, width and height, as fractions of the page.
    pub place: [f64; 4],
}

/// What a program wrote, and how it ended.
struct Output {
    code: Option<i32>,
    text: Vec<u8>,
    complaint: String,
}

impl Tesseract {
    /// None of it runs yet.
    pub fn new() -> Self {
        let cores = available_parallelism().map_or(1, usize::from);
        Self(Arc::new(Semaphore::new(cores)))
    }

    /// Reads a document.
    ///
    /// # Errors
    ///
    /// If it cannot be read, or a program is missing.
    pub async fn read(&self, document: &Document) -> Result<Page, Refused> {
        let _slot = self.0.acquire().await;
        let page = timeout(TIMEOUT, read(document)).await;
        page.map_err(|_| Refused::internal(format!("the page took longer than {TIMEOUT:?}")))?
    }
}

async fn read(document: &Document) -> Result<Page, Refused> {
    let picture = match document.format {
        Format::Picture => document.bytes.clone(),
        Format::Pdf => drawn(&document.bytes).await?,
    };
    let arguments = ["stdin", "stdout", "--psm", COLUMN, "tsv"];
    let output = run("tesseract", "tesseract-ocr", &arguments, picture).await?;
    if output.code != Some(0) {
        return Err(Refused::bad(&output.complaint));
    }
    Ok(page(&String::from_utf8_lossy(&output.text)))
}

/// A picture of the page of a PDF.
async fn drawn(pdf: &Bytes) -> Result<Bytes, Refused> {
    let about = run("pdfinfo", "poppler-utils", &["-"], pdf.clone()).await?;
    if about.code != Some(0) && about.complaint.contains("Incorrect password") {
        return Err(Refused::unsupported("it is encrypted"));
    }
    let text = String::from_utf8_lossy(&about.text);
    let value = |key| text.lines().find_map(|line| Some(line.strip_prefix(key)?.trim()));
    if value("Encrypted:").is_some_and(|it| it.starts_with("yes")) {
        return Err(Refused::unsupported("it is encrypted"));
    }
    match value("Pages:") {
        Some("1") => {}
        Some(pages) => return Err(Refused::unsupported(&format!("it has {pages} pages"))),
        None => return Err(Refused::bad(&about.complaint)),
    }
    let arguments = ["-singlefile", "-gray", "-scale-to", PDF_SIDE, "-"];
    let drawn = run("pdftoppm", "poppler-utils", &arguments, pdf.clone()).await?;
    match drawn.code {
        Some(0) if !drawn.text.is_empty() => Ok(drawn.text.into()),
        _ => Err(Refused::bad(&drawn.complaint)),
    }
}

/// Runs a program of a package, with `input` on its standard input.
async fn run(
    program: &str,
    package: &str,
    arguments: &[&str],
    input: Bytes,
) -> Result<Output, Refused> {
    let failed = |error: io::Error| Refused::internal(format!("running {program}: {error}"));
    let mut child = Command::new("sh")
        .args(["-c", LIMITED, program])
        .args(arguments)
        .env("OMP_THREAD_LIMIT", "1") // more threads gain nothing for a page, and spin
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(failed)?;
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let write = async move {
        // Who has read enough closes the pipe.
        if let Some(mut stdin) = stdin {
            let _ = stdin.write_all(&input).await;
        }
    };
    let ((), text, complaint) = tokio::join!(write, whole(stdout), whole(stderr));
    let status = child.wait().await.map_err(failed)?;
    if status.code() == Some(NOT_FOUND) {
        return Err(Refused::internal(format!(
            "{program} is not installed on this machine: install {package}, such as by `apt-get \
             install {package}`"
        )));
    }
    let complaint = String::from_utf8_lossy(&complaint.map_err(failed)?).into_owned();
    let complaint = complaint.lines().last().unwrap_or_default().trim().to_owned();
    Ok(Output { code: status.code(), text: text.map_err(failed)?, complaint })
}

/// Everything that comes through a pipe, up to the limit.
async fn whole(pipe: Option<impl AsyncRead + Unpin>) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if let Some(pipe) = pipe {
        pipe.take(MAX_OUTPUT_BYTES).read_to_end(&mut bytes).await?;
    }
    Ok(bytes)
}

/// A page from a table of `tesseract`, with a row for the page, each line and each word, of these
/// columns: level, page, block, paragraph, line, word, left, top, width, height, confidence, text.
fn page(table: &str) -> Page {
    let mut lines = Vec::new();
    let mut size = [1.0, 1.0];
    let mut words: Vec<(&str, f64)> = Vec::new();
    let mut place = [0.0; 4];
    let mut end = |words: &mut Vec<(&str, f64)>, place| {
        if words.is_empty() {
            return;
        }
        let confidence = words.iter().map(|(_, it)| it).sum::<f64>() / words.len() as f64;
        let text = words.iter().map(|(word, _)| *word).collect::<Vec<_>>().join(" ");
        words.clear();
        lines.push(Line { text, confidence, place });
    };
    for row in table.lines().skip(1) {
        let columns: Vec<_> = row.split('\t').collect();
        let [level, _, _, _, _, _, numbers @ .., text] = &columns[..] else { continue };
        let numbers: Vec<f64> = numbers.iter().filter_map(|it| it.parse().ok()).collect();
        let [left, top, width, height, confidence] = numbers[..] else { continue };
        match *level {
            "1" => size = [width.max(1.0), height.max(1.0)],
            "4" => {
                end(&mut words, place);
                let [across, down] = size;
                place = [left / across, top / down, width / across, height / down];
            }
            "5" if !text.trim().is_empty() => words.push((text.trim(), confidence)),
            _ => {}
        }
    }
    end(&mut words, place);
    Page { lines }
}

#[cfg(test)]
mod tests {
    use std::{fs, process::Command, time::Duration};

    use hyper::{StatusCode, body::Bytes};

    use super::{Line, MAX_OUTPUT_BYTES, page, run};

    #[tokio::test]
    async fn a_program_that_is_missing_is_said_with_its_package() {
        let run = run("tesseract-of-nobody", "tesseract-ocr", &[], Bytes::new()).await;
        let refused = run.err().unwrap();
        assert_eq!(refused.status, StatusCode::INTERNAL_SERVER_ERROR);
        let said = "tesseract-of-nobody is not installed on this machine: install tesseract-ocr";
        assert!(refused.message.starts_with(said), "{}", refused.message);
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn a_program_that_wants_too_much_memory_or_writes_too_much_ends() {
        // It waits for the end of the last line.
        let greedy = run("tail", "coreutils", &["/dev/zero"], Bytes::new()).await.ok().unwrap();
        assert_eq!(greedy.code, Some(1));
        assert!(greedy.complaint.contains("memory"), "{}", greedy.complaint);
        let endless = run("cat", "coreutils", &["/dev/zero"], Bytes::new()).await.ok().unwrap();
        assert_eq!(endless.text.len() as u64, MAX_OUTPUT_BYTES);
        assert_eq!(endless.code, None, "the pipe was closed");
    }

    #[tokio::test]
    async fn a_program_ends_with_the_call() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("pid");
        let script = format!("echo $$ > {0}.new; mv {0}.new {0}; exec sleep 1000", file.display());
        let arguments = ["-c", script.as_str()];
        let pid = tokio::select! {
            _ = run("sh", "dash", &arguments, Bytes::new()) => panic!("it ended"),
            pid = async {
                loop {
                    match fs::read_to_string(&file) {
                        Ok(pid) => break pid,
                        Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
                    }
                }
            } => pid,
        };
        let is_there = || {
            let kill = Command::new("kill").args(["-0", pid.trim()]).output();
            kill.unwrap().status.success()
        };
        let ended = async {
            while is_there() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), ended).await.expect("it goes on");
    }

    #[test]
    fn words_are_lines_with_places_and_what_is_no_word_is_left_out() {
        let table = "level\tpage_num\tblock_num\tpar_num\tline_num\tword_num\tleft\ttop\twidth\t\
                     height\tconf\ttext\n\
                     1\t1\t0\t0\t0\t0\t0\t0\t800\t400\t-1\t\n\
                     4\t1\t1\t1\t1\t0\t80\t100\t400\t40\t-1\t\n\
                     5\t1\t1\t1\t1\t1\t80\t100\t150\t38\t90.0\tCorner\n\
                     5\t1\t1\t1\t1\t2\t225\t100\t111\t40\t80.0\tShop\n\
                     4\t1\t2\t1\t1\t0\t0\t0\t800\t4\t-1\t\n\
                     5\t1\t2\t1\t1\t1\t0\t0\t800\t4\t95.0\t \n\
                     4\t1\t3\t1\t1\t0\t80\t200\t80\t40\t-1\t\n\
                     5\t1\t3\t1\t1\t1\t80\t200\t80\t40\t70.5\t2.50\n";
        let line =
            |text: &str, confidence, place| Line { text: text.to_owned(), confidence, place };
        let expected = [
            line("Corner Shop", 85.0, [0.1, 0.25, 0.5, 0.1]),
            line("2.50", 70.5, [0.1, 0.5, 0.1, 0.1]),
        ];
        assert_eq!(page(table).lines, expected);
        assert!(page("level\n").lines.is_empty());
    }
}
