//! The tests of `order_flow.rs` once more, from `infrastructure/` in place of `copilot/`.

#[path = "order_flow.rs"]
mod order_flow;
