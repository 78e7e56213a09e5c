//! Textract by `tesseract` and poppler, which have to be installed. Enable it by `OCR_TESTS=on`.

use account::endpoint::{self, Settings};
use aws_sdk_textract::{
    Client,
    error::ProvideErrorMetadata as _,
    primitives::Blob,
    types::{BlockType, Document},
};

/// A PDF with a page for each of `pages`, whose lines are apart, and more of its trailer.
fn pdf(pages: &[&[&str]], trailer: &str) -> Vec<u8> {
    let kids: Vec<_> = (0..pages.len()).map(|page| format!("{} 0 R", 4 + 2 * page)).collect();
    let mut objects = vec![
        "<</Type/Catalog/Pages 2 0 R>>".to_owned(),
        format!("<</Type/Pages/Count {}/Kids[{}]>>", pages.len(), kids.join(" ")),
        "<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>".to_owned(),
    ];
    for (page, lines) in pages.iter().enumerate() {
        let lines: Vec<_> = lines.iter().map(|line| format!("({line}) Tj 0 -30 Td")).collect();
        let content = format!("BT /F1 18 Tf 20 150 Td {} ET", lines.join(" "));
        objects.push(format!(
            "<</Type/Page/Parent 2 0 R/MediaBox[0 0 300 200]\
             /Resources<</Font<</F1 3 0 R>>>>/Contents {} 0 R>>",
            5 + 2 * page
        ));
        objects.push(format!("<</Length {}>>stream\n{content}\nendstream", content.len()));
    }
    let mut text = "%PDF-1.4\n".to_owned();
    let mut table = format!("xref\n0 {}\n0000000000 65535 f \n", objects.len() + 1);
    for (number, object) in objects.iter().enumerate() {
        table += &format!("{:010} 00000 n \n", text.len());
        text += &format!("{} 0 obj\n{object}\nendobj\n", number + 1);
    }
    let (start, size) = (text.len(), objects.len() + 1);
    text += &format!("{table}trailer<</Size {size}/Root 1 0 R{trailer}>>\n");
    text += &format!("startxref\n{start}\n%%EOF");
    text.into_bytes()
}

fn document(bytes: Vec<u8>) -> Document {
    Document::builder().bytes(Blob::new(bytes)).build()
}

#[tokio::test]
async fn a_page_is_read_and_what_is_no_page_is_refused_in_textracts_words() {
    if std::env::var("OCR_TESTS").as_deref() != Ok("on") {
        eprintln!("OFF: set OCR_TESTS=on, with tesseract and poppler installed");
        return;
    }
    let endpoint = endpoint::start(&Settings::loopback(0)).await.unwrap();
    let client = Client::new(&endpoint.target().config().await);
    let page = document(pdf(&[&["Corner Shop", "Bread 2.50", "TOTAL 12.34"]], ""));
    let text = client.detect_document_text().document(page.clone()).send().await.unwrap();
    let lines = text.blocks().iter().filter(|it| it.block_type() == Some(&BlockType::Line));
    let lines: Vec<_> = lines.collect();
    let texts: Vec<_> = lines.iter().map(|it| it.text().unwrap()).collect();
    assert_eq!(texts, ["Corner Shop", "Bread 2.50", "TOTAL 12.34"]);
    assert!(lines.iter().all(|it| it.confidence().unwrap() > 80.0), "{lines:?}");
    let tops = lines.iter().map(|it| it.geometry().unwrap().bounding_box().unwrap().top());
    let tops: Vec<_> = tops.collect();
    assert!(tops.is_sorted() && tops[0] > 0.1 && tops[2] < 0.6, "{tops:?}");
    let expense = client.analyze_expense().document(page).send().await.unwrap();
    let expense = &expense.expense_documents()[0];
    assert_eq!(expense.blocks().len(), 4, "the page and its lines");
    assert!(expense.summary_fields().is_empty());

    let key = "11".repeat(32);
    let locked =
        format!("/ID[<00><00>]/Encrypt<</Filter/Standard/V 1/R 2/O <{key}>/U <{key}>/P -4>>");
    let cases = [
        (pdf(&[&["a"], &["b"]], ""), "UnsupportedDocumentException", "it has 2 pages"),
        (pdf(&[&["a"]], &locked), "UnsupportedDocumentException", "it is encrypted"),
        (b"%PDF-1.4 and no more".to_vec(), "BadDocumentException", ""),
        (b"\xff\xd8\xff\xe0\0\x10JFIF\0".to_vec(), "BadDocumentException", ""),
    ];
    for (bytes, code, why) in cases {
        let refused = client.detect_document_text().document(document(bytes)).send().await;
        let error = refused.unwrap_err();
        assert_eq!(error.code(), Some(code), "{error:?}");
        assert!(error.message().unwrap().contains(why), "{error:?}");
    }
}
