//! The pages in a real browser, as people use them.
//!
//! Needs the packages that `.ci/browser` installs, and runs only with `BROWSER_TESTS=on`. Each
//! check has a new browser; all share one system. Screenshots are in `target/screenshots`.

use std::{env, pin::Pin, process::ExitCode, time::Instant};

#[path = "../test_system/mod.rs"]
mod test_system;

mod webdriver;

mod browser;

mod quiet;

mod looks;

mod form;

mod order;

mod latest;

mod flow;

mod problems;

use browser::{Browser, Scripts};
use test_system::TestSystem;
use webdriver::Driver;

type Outcome = anyhow::Result<()>;

type Run =
    for<'a> fn(&'a mut TestSystem, &'a Browser) -> Pin<Box<dyn Future<Output = Outcome> + 'a>>;

const SWITCH: &str = "BROWSER_TESTS";

/// The checks, by path, each with scripts on or off in the browser.
macro_rules! checks {
    ($($scripts:ident $module:ident::$name:ident;)*) => {
        [$((stringify!($name), Scripts::$scripts,
            (|test, browser| Box::pin($module::$name(test, browser))) as Run)),*]
    };
}

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    if env::var(SWITCH).is_ok_and(|it| it == "on") {
        return check_all().await;
    }
    println!(
        "browser: off, nothing was checked. Install the packages with `.ci/browser`, then run"
    );
    println!("    {SWITCH}=on cargo test --package trials --test browser");
    Ok(ExitCode::SUCCESS)
}

/// Runs the checks whose names contain the first argument that is not an option; without such an
/// argument, all of them.
async fn check_all() -> anyhow::Result<ExitCode> {
    let mut checks = checks! {
        On latest::without_orders_the_list_leads_to_the_form;
        On form::the_form_is_filled_in_at_first;
        On form::each_mistake_is_explained_at_its_field_and_the_input_is_kept;
        On order::an_order_of_120_is_shown_at_each_step_and_its_coupon_is_copied;
        On order::a_payment_shows_on_the_open_page_when_it_fails_and_when_it_comes_in;
        On order::a_page_that_is_open_while_the_publisher_is_replaced_goes_on;
        On order::many_open_pages_do_not_block_the_site;
        On order::an_order_of_50_has_no_promotion;
        Off order::without_scripts_the_page_refreshes_itself_until_the_order_is_done;
        On latest::the_latest_orders_are_listed_newest_first_and_paged;
        On latest::the_longest_name_and_the_largest_total_fit;
        On flow::orders_move_through_the_picture_and_only_large_ones_to_promotion;
        On flow::payments_move_through_the_picture;
        Off flow::without_scripts_the_picture_refreshes_itself;
        On problems::a_missing_page_leads_back_to_the_form;
        On problems::going_back_and_sending_again_places_another_order;
        On problems::a_form_that_was_sent_before_and_changed_keeps_what_was_typed;
        On problems::a_form_of_another_site_is_refused;
        On problems::a_failed_attempt_is_shown_and_so_is_the_one_that_succeeds;
        On problems::while_dynamodb_is_unavailable_the_input_is_kept;
    }
    .to_vec();
    if looks::are_pictures_wanted() {
        // Before most orders are sent, so that the picture is not crowded.
        checks.splice(1..1, checks! { On flow::ten_seconds_are_recorded_for_the_readme; });
    }
    let filter = env::args().skip(1).find(|it| !it.starts_with('-')).unwrap_or_default();
    let driver = Driver::start().await?;
    let mut test = TestSystem::start().await?;
    let (mut passed, mut failed) = (0, 0);
    for (name, scripts, run) in checks.into_iter().filter(|it| it.0.contains(&filter)) {
        let started = Instant::now();
        let browser = Browser::open(&driver, &test.system.url, scripts).await?;
        let outcome = match run(&mut test, &browser).await {
            Ok(()) => browser.close().await,
            Err(error) => {
                // The error matters more than a failure to take its screenshot.
                let _ = looks::keep(&browser, &format!("failed-{name}")).await;
                browser.session.close().await?;
                // The check may have stopped services that the others need.
                test = TestSystem::start().await?;
                Err(error)
            }
        };
        let counted = if outcome.is_ok() { &mut passed } else { &mut failed };
        *counted += 1;
        let verdict = outcome.map_or_else(|error| format!("FAILED: {error:#}"), |()| "ok".into());
        println!("test {name} ... {verdict} ({:.1} s)", started.elapsed().as_secs_f32());
    }
    test.system.stop().await?;
    driver.stop().await?;
    println!("browser: {passed} passed, {failed} failed; see target/screenshots");
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
