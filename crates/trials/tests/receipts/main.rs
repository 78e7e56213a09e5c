//! The second sample, `examples/receipts`, with the real binaries and a Textract that a script
//! plays.

type Outcome = anyhow::Result<()>;

mod textract;

mod sample;

mod scans;

mod uploads;

mod long;

mod chaos;
