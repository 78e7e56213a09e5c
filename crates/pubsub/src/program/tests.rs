//! What a service prints if its settings are wrong.

use clap::CommandFactory as _;

use super::*;

/// Greets people
#[derive(Debug, Parser)]
#[command(name = "greeter", version = "1.2.3")]
struct Settings {
    #[arg(long, env = "GREETER_TEST_NAME")]
    name: String,
    #[arg(long, env = "GREETER_TEST_CITY")]
    city: String,
    #[arg(long, env = "GREETER_TEST_PORT", default_value_t = 5000)]
    port: u16,
}

fn parse(arguments: &[&str]) -> Result<ArgMatches, String> {
    let mut command = command(Settings::command());
    let arguments = ["greeter"].iter().chain(arguments);
    let parsed = command.try_get_matches_from_mut(arguments);
    parsed.map_err(|error| sentence(&command, &error))
}

#[test]
fn a_mistake_is_one_sentence_that_names_the_variable() {
    for (arguments, expected) in [
        (&[][..], "GREETER_TEST_NAME, GREETER_TEST_CITY are not set; --help says what it is"),
        (&["--name", "Ada"], "GREETER_TEST_CITY is not set; --help says what it is"),
        (
            &["--name", "Ada", "--city", "London", "--port", "many"],
            "GREETER_TEST_PORT is \"many\": invalid digit found in string",
        ),
        (&["--nome", "Ada"], "unexpected argument '--nome' found; see --help"),
    ] {
        assert_eq!(parse(arguments).unwrap_err(), expected);
    }
}

#[test]
fn the_health_check_needs_no_other_setting() {
    let matches = parse(&[HEALTHCHECK]).unwrap();
    assert_eq!(matches.subcommand_name(), Some(HEALTHCHECK));
    assert_eq!(matches.get_one::<u16>("port"), Some(&5000));
}

#[test]
fn help_says_what_the_service_does_and_which_settings_every_service_has() {
    let help = command(Settings::command().about(about::<Settings>())).render_long_help();
    let help = help.to_string();
    for text in ["Greets people", "GREETER_TEST_NAME", "RUST_LOG", HEALTHCHECK] {
        assert!(help.contains(text), "no {text} in {help}");
    }
}
