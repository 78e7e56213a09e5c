//! Which changed files count.

use std::path::Path;

use super::is_source;

#[test]
fn what_editors_keep_beside_a_file_is_not_a_source() {
    let workspace = Path::new("/w");
    for file in ["publisher/src/main.rs", "publisher/templates/form.html", "Cargo.toml"] {
        assert!(is_source(&workspace.join(file), workspace), "{file}");
    }
    let others = [
        "README.md",
        "orders/src/.order.rs.swp",
        "orders/src/#order.rs#",
        "orders/src/order.rs~",
        "orders/src/4913",
    ];
    for file in others {
        assert!(!is_source(&workspace.join(file), workspace), "{file}");
    }
}
