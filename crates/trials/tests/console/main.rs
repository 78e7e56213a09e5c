//! The console in a real browser, beside a `local` that runs as a person starts it: each panel, and
//! each button with its effect.
//!
//! Needs the packages that `.ci/browser` installs, and runs only with `BROWSER_TESTS=on`. Each
//! check has a new browser; all share one system. Screenshots are in `target/screenshots`.

use std::{env, pin::Pin, process::ExitCode, time::Instant};

#[path = "../test_system/mod.rs"]
mod test_system;

#[path = "../browser/webdriver.rs"]
mod webdriver;

#[path = "../browser/browser.rs"]
mod browser;

#[path = "../browser/quiet.rs"]
mod quiet;

#[path = "../browser/looks.rs"]
mod looks;

mod laptop;

mod services;

mod logs;

mod traffic;

mod weather;

mod messages;

mod traces;

mod tables;

mod all;

use browser::{Browser, Scripts};
use laptop::Laptop;
use webdriver::Driver;

type Outcome = anyhow::Result<()>;

type Run = for<'a> fn(&'a Laptop, &'a Browser) -> Pin<Box<dyn Future<Output = Outcome> + 'a>>;

const SWITCH: &str = "BROWSER_TESTS";

/// The checks, by path, each with scripts on or off in the browser.
macro_rules! checks {
    ($($scripts:ident $module:ident::$name:ident;)*) => {
        [$((stringify!($name), Scripts::$scripts,
            (|laptop, browser| Box::pin($module::$name(laptop, browser))) as Run)),*]
    };
}

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    if env::var(SWITCH).is_ok_and(|it| it == "on") {
        return check_all().await;
    }
    println!(
        "console: off, nothing was checked. Install the packages with `.ci/browser`, then run"
    );
    println!("    {SWITCH}=on cargo test --package trials --test console");
    Ok(ExitCode::SUCCESS)
}

/// Runs the checks whose names contain the first argument that is not an option; without such an
/// argument, all of them.
async fn check_all() -> anyhow::Result<ExitCode> {
    let checks = checks! {
        On services::a_killed_service_is_restarted_and_the_page_shows_it_without_a_reload;
        On services::a_frozen_service_does_nothing_until_it_goes_on;
        On services::a_stopped_service_stays_stopped_until_it_is_started;
        On services::a_worker_is_scaled_to_three_and_back;
        Off services::without_scripts_a_button_leads_to_what_became_of_it;
        On logs::lines_appear_by_themselves_and_are_filtered_by_service_level_text_and_trace;
        On logs::a_paused_page_stays_and_its_lines_are_copied;
        On traffic::orders_below_and_above_80_a_duplicate_and_an_unknown_type_have_their_effects;
        On traffic::a_burst_is_stored_and_a_rate_goes_on_until_it_is_set_to_0;
        On weather::a_throttled_table_delays_the_coupon_until_the_weather_is_fair;
        On weather::several_parts_fail_at_once_and_each_is_ended_by_its_own_button;
        On weather::messages_come_twice_until_that_is_ended;
        On messages::messages_are_seen_and_followed_without_touching_them;
        On messages::a_poison_message_is_a_dead_letter_with_its_reason_and_is_redriven_and_purged;
        On traces::an_order_is_a_waterfall_over_services_calls_and_messages;
        On tables::items_of_each_table_and_index_are_shown_and_found;
        On tables::the_picture_of_the_flow_is_shown;
        On all::the_keyboard_alone_reaches_and_presses_everything;
        On all::every_page_looks_right_and_is_accessible;
        On all::pages_are_quick_while_many_orders_run;
    };
    let filter = env::args().skip(1).find(|it| !it.starts_with('-')).unwrap_or_default();
    let driver = Driver::start().await?;
    let mut laptop = Laptop::start().await?;
    let (mut passed, mut failed) = (0, 0);
    for (name, scripts, run) in checks.into_iter().filter(|it| it.0.contains(&filter)) {
        let started = Instant::now();
        let browser = Browser::open(&driver, &laptop.console, scripts).await?;
        let outcome = match run(&laptop, &browser).await {
            Ok(()) => browser.close().await,
            Err(error) => {
                // The error matters more than a failure to take its screenshot.
                let _ = looks::keep(&browser, &format!("failed-{name}")).await;
                browser.session.close().await?;
                // The check may have stopped services that the others need.
                laptop.stop().await?;
                laptop = Laptop::start().await?;
                Err(error)
            }
        };
        let counted = if outcome.is_ok() { &mut passed } else { &mut failed };
        *counted += 1;
        let verdict = outcome.map_or_else(|error| format!("FAILED: {error:#}"), |()| "ok".into());
        println!("test {name} ... {verdict} ({:.1} s)", started.elapsed().as_secs_f32());
    }
    laptop.stop().await?;
    driver.stop().await?;
    println!("console: {passed} passed, {failed} failed; see target/screenshots");
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
