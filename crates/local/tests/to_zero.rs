//! `local --to-zero`: workers run only while there is something to do.

mod running;

use running::{Outcome, Running, order};

#[test]
fn a_worker_starts_for_a_message_and_stops_when_there_is_none_again_and_again() -> Outcome {
    let mut local = Running::start(&["--to-zero=1s"], &[("PACE_MS", "0")])?;
    local.wait_for(|line| line.contains("the workers start when something waits"))?;
    assert!(local.of_service("fulfilment").is_empty(), "{:#?}", local.printed);
    for _ in 0..2 {
        local.printed.clear();
        let id = order(&local.page, "20")?;
        local.wait_for(|line| line.contains("fulfilment starts: a message waits"))?;
        local.wait_for(|line| line.contains("order fulfilled") && line.contains(&id))?;
        local.wait_for(|line| line.contains("fulfilment stops: no message for 1 s"))?;
        local.wait_for(|line| line.contains("fulfilment exited") && line.contains("it sleeps"))?;
        assert!(local.of_service("promotion").is_empty(), "its filter policy leaves the order out");
    }
    assert!(local.stop()?.success());
    Ok(())
}

#[test]
fn a_worker_that_has_a_message_in_hand_goes_on() -> Outcome {
    let mut local = Running::start(&["--to-zero=1s"], &[("PACE_MS", "2500")])?;
    order(&local.page, "20")?;
    local.wait_for(|line| line.contains("fulfilment stops: no message for 1 s"))?;
    let at = |text: &str| local.printed.iter().position(|line| line.contains(text));
    assert!(at("order fulfilled").is_some(), "{:#?}", local.printed);
    assert!(at("order fulfilled") < at("fulfilment stops"), "{:#?}", local.printed);
    assert!(local.stop()?.success());
    Ok(())
}
