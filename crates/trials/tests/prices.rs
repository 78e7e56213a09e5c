//! docs/costs.md is what the list of prices and the templates come to.

use std::{fs, path::Path};

use trials::prices::{DOCUMENT, List, written};

type Outcome = anyhow::Result<()>;

fn read(path: &str) -> anyhow::Result<String> {
    Ok(fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path))?)
}

#[test]
fn the_document_has_the_tables_of_today() -> Outcome {
    let text = read(DOCUMENT)?;
    let command = "cargo run -p trials -- prices";
    assert!(written(&text)? == text, "{DOCUMENT} is out of date: {command} writes it");
    Ok(())
}

/// The same price may not be another one elsewhere.
#[test]
fn the_dashboard_and_the_benchmark_have_the_prices_of_the_list() -> Outcome {
    let numbers = List::read()?;
    let price = |name: &str| {
        let found = numbers.prices.iter().find(|it| it.name == name);
        found.unwrap_or_else(|| panic!("no price {name}")).usd
    };
    let bench = read("crates/trials/src/bench/requests.rs")?;
    let of_bench = |name: &str| -> anyhow::Result<f64> {
        let (_, rest) = bench.split_once(&format!("const {name}: f64 = ")).expect("the constant");
        Ok(rest.split(';').next().unwrap_or_default().parse::<f64>()? / 1e6)
    };
    for (name, constant, factor) in [
        ("dynamodb_write", "DYNAMODB_WRITES", "0.000000625"),
        ("dynamodb_read", "DYNAMODB_READS", "0.000000125"),
        ("sns_request", "SNS_REQUESTS", "0.0000005"),
        ("sqs_request", "SQS_REQUESTS", "0.0000004"),
    ] {
        assert!((price(name) - of_bench(constant)?).abs() < 1e-12, "{name} and {constant}");
        assert!((price(name) - factor.parse::<f64>()?).abs() < 1e-12, "{name} and {factor}");
        for file in ["infrastructure/dashboard.yml", "copilot/publisher/addons/dashboard.yml"] {
            assert!(read(file)?.contains(&format!("\"{factor} * SUM(")), "{file} lacks {factor}");
        }
    }
    let logs = price("log_gb") / 1e9;
    assert!((logs - 0.0000000005).abs() < 1e-15, "a byte of logs costs {logs}");
    Ok(())
}

#[test]
fn every_number_has_its_source() -> Outcome {
    let list = List::read()?;
    for price in &list.prices {
        assert!(price.source.starts_with("https://aws.amazon.com/"), "{price:?}");
    }
    for limit in &list.limits {
        assert!(limit.source.starts_with("https://docs.aws.amazon.com/"), "{limit:?}");
    }
    for count in &list.counts {
        assert!(!count.source.is_empty() && !count.of.is_empty(), "{count:?}");
    }
    Ok(())
}
