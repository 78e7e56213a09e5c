//! A page in Textract's JSON.

use serde_json::{Value as Json, json};
use uuid::Uuid;

use super::tesseract::{Line, Page};

/// The answer of `DetectDocumentText`.
pub fn text(page: &Page) -> Json {
    json!({
        "DocumentMetadata": {"Pages": 1},
        "DetectDocumentTextModelVersion": "1.0",
        "Blocks": blocks(page),
    })
}

/// The answer of `AnalyzeExpense`, in which nothing is understood.
pub fn expense(page: &Page) -> Json {
    json!({
        "DocumentMetadata": {"Pages": 1},
        "ExpenseDocuments": [{
            "ExpenseIndex": 1,
            "SummaryFields": [],
            "LineItemGroups": [],
            "Blocks": blocks(page),
        }],
    })
}

/// The page, and its lines.
fn blocks(page: &Page) -> Vec<Json> {
    let ids: Vec<_> = page.lines.iter().map(|_| Uuid::new_v4().to_string()).collect();
    let whole = json!({
        "BlockType": "PAGE",
        "Id": Uuid::new_v4().to_string(),
        "Geometry": geometry([0.0, 0.0, 1.0, 1.0]),
        "Relationships": [{"Type": "CHILD", "Ids": ids}],
    });
    let lines = page.lines.iter().zip(&ids).map(|(line, id)| block(line, id));
    [whole].into_iter().chain(lines).collect()
}

fn block(line: &Line, id: &str) -> Json {
    json!({
        "BlockType": "LINE",
        "Id": id,
        "Text": line.text,
        "Confidence": line.confidence,
        "Geometry": geometry(line.place),
    })
}

fn geometry([left, top, width, height]: [f64; 4]) -> Json {
    let (right, bottom) = (left + width, top + height);
    let corners = [(left, top), (right, top), (right, bottom), (left, bottom)];
    json!({
        "BoundingBox": {"Left": left, "Top": top, "Width": width, "Height": height},
        "Polygon": corners.map(|(x, y)| json!({"X": x, "Y": y})),
    })
}
