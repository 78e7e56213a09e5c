//! Generates valid and nearly valid requests.

use proptest::{collection::vec, option, prelude::*, sample::select};

/// A request to the publisher.
#[derive(Clone, Debug)]
pub struct Sent {
    pub path: &'static str,
    pub content_type: Option<&'static str>,
    pub accept: &'static str,
    pub idempotency_key: Option<Vec<u8>>,
    pub body: Vec<u8>,
}

pub const FORM: &str = "application/x-www-form-urlencoded";
pub const JSON: &str = "application/json";

const OTHER_TYPES: [Option<&str>; 6] = [
    None,
    Some("text/plain"),
    Some("multipart/form-data; boundary=x"),
    Some("application/xml"),
    Some("nonsense"),
    Some(""),
];
const ACCEPTS: [&str; 3] = ["text/html,*/*;q=0.8", "application/json", "*/*"];

const NAMES: [&str; 15] = [
    "Ada Lovelace",
    " \u{a0}Zoë 李小龙 👩‍🚀\n",
    "Ada\u{0}",
    "Ada\r\nSet-Cookie: x",
    "\u{1b}[31m",
    "\u{85}\u{9f}\u{7f}x",
    "\u{202e}adA\u{200b}",
    "\u{fffd}",
    "non\u{ffff}character",
    "\u{feff}",
    "\u{200b}\u{2800} \u{3164}",
    "عمر\u{200c}ها",
    "line\u{2028}separator",
    "<script>&amp;\"'",
    "'; DROP TABLE orders; --",
];
const AMOUNTS: [&str; 34] = [
    "80",
    "79.99",
    "80.0",
    "0.01",
    "999999999.99",
    " 80 ",
    "007",
    "1000000000",
    "0",
    "0.00",
    "-1",
    "-0",
    "+80",
    "1e3",
    "1E-2",
    "NaN",
    "Infinity",
    "-inf",
    "1_000",
    "1,000",
    "80,00",
    "80.001",
    "80.",
    ".5",
    ".",
    "0x50",
    "８０",
    "80€",
    "80 80",
    "1.2.3",
    "99999999999999999999999999999999",
    "0000000000000000000000000000000000000000001",
    "00000000000000000000000000000000000.000",
    "",
];
const RAW_JSON: [&str; 18] = [
    "null",
    "true",
    "[]",
    "{}",
    "[80]",
    "{\"amount\":80}",
    "NaN",
    "-Infinity",
    "1e3",
    "1E400",
    "-80",
    "080",
    "80.",
    "\"\\ud800\"",
    "\"\\ud83d\\ude00\"",
    "\"\\u0000\"",
    "\"\\x41\"",
    "'80'",
];

pub fn request() -> impl Strategy<Value = Sent> {
    prop_oneof![
        3 => sent("/", FORM, form()),
        3 => sent("/orders", JSON, json()),
        1 => sent("/", FORM, vec(any::<u8>(), 0..200)),
        1 => sent("/orders", JSON, vec(any::<u8>(), 0..200)),
        // Large or deeply nested bodies.
        1 => (select(b"[{\"a 0%".as_slice()), 0..40_000_usize).prop_flat_map(|(byte, length)| {
            prop_oneof![
                sent("/", FORM, Just(vec![byte; length])),
                sent("/orders", JSON, Just(vec![byte; length])),
            ]
        }),
    ]
}

fn sent(
    path: &'static str,
    media_type: &'static str,
    body: impl Strategy<Value = Vec<u8>>,
) -> impl Strategy<Value = Sent> {
    let content_type =
        prop_oneof![9 => Just(Some(media_type)), 1 => select(OTHER_TYPES.as_slice())];
    let blank = vec(prop_oneof![Just(b' '), Just(b'\t')], 0..3);
    let text = vec(prop_oneof![32..=255_u8, Just(b'\t')], 0..40);
    // Half of them have the version and the variant of a random UUID.
    let version = (any::<u128>(), select([4, 7, 4, 7, 1, 5, 8_u8].as_slice()), 7..12_u8);
    let random = version.prop_map(|(bits, version, variant)| {
        let mut text = uuid(bits);
        text.replace_range(14..15, &format!("{version:x}"));
        text.replace_range(19..20, &format!("{variant:x}"));
        text.into_bytes()
    });
    let key = option::weighted(0.3, prop_oneof![1 => blank, 1 => text, 8 => random]);
    let key = key.prop_map(|key| key.map(|it| it.into_iter().filter(|b| *b != 127).collect()));
    (content_type, select(ACCEPTS.as_slice()), key, body).prop_map(
        move |(content_type, accept, idempotency_key, body)| Sent {
            path,
            content_type,
            accept,
            idempotency_key,
            body,
        },
    )
}

fn form() -> impl Strategy<Value = Vec<u8>> {
    let id = prop_oneof![
        4 => any::<u128>().prop_map(|it| uuid(it).into_bytes()),
        1 => Just(Vec::new()),
        1 => vec(any::<u8>(), 0..40),
    ];
    let encoded = |value: Vec<u8>| percent_encoded(&value);
    let fields = members(
        ["id", "customer", "total"],
        id.prop_map(encoded),
        name().prop_map(encoded),
        prop_oneof![9 => amount(), 1 => name()].prop_map(encoded),
    );
    let body = fields.prop_map(|fields| {
        let fields = fields.into_iter().map(|(name, mut value)| {
            let mut field = format!("{name}=").into_bytes();
            field.append(&mut value);
            field
        });
        fields.collect::<Vec<_>>().join(&b'&')
    });
    damaged(body)
}

fn json() -> impl Strategy<Value = Vec<u8>> {
    let text = |bytes: Vec<u8>| {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        serde_json::to_vec(&text).unwrap()
    };
    let raw = || select(RAW_JSON.as_slice()).prop_map(|it| it.as_bytes().to_vec());
    let fields = members(
        ["extra", "customer", "amount"],
        raw(),
        prop_oneof![9 => name().prop_map(text), 1 => raw()],
        prop_oneof![4 => amount(), 4 => amount().prop_map(text), 1 => raw()],
    );
    // `extra` is not allowed, so most bodies do not have it.
    let body = (fields, 0..8_u8).prop_map(|(mut fields, keep)| {
        fields.retain(|(name, _)| *name != "extra" || keep == 0);
        let fields = fields.into_iter().map(|(name, mut value)| {
            let mut field = format!("{name:?}: ").into_bytes();
            field.append(&mut value);
            field
        });
        let inside = fields.collect::<Vec<_>>().join(&b',');
        [b"{".as_slice(), &inside, b"}"].concat()
    });
    damaged(body)
}

type Members = Vec<(&'static str, Vec<u8>)>;

/// Three fields in any order. Sometimes one is missing, duplicated or renamed.
fn members(
    names: [&'static str; 3],
    first: impl Strategy<Value = Vec<u8>>,
    second: impl Strategy<Value = Vec<u8>>,
    third: impl Strategy<Value = Vec<u8>>,
) -> impl Strategy<Value = Members> {
    let fields = (first, second, third).prop_map(move |(first, second, third)| {
        vec![(names[0], first), (names[1], second), (names[2], third)]
    });
    let fields = fields.prop_shuffle();
    (fields, 0..3_usize, 0..12_u8).prop_map(|(mut fields, index, what)| {
        match what {
            0 => drop(fields.remove(index)),
            1 => fields.push(fields[index].clone()),
            2 => fields[index].0 = "Customer",
            _ => {}
        }
        fields
    })
}

fn name() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => "[A-Z][a-z]{1,20} [A-Z][a-z]{1,20}".prop_map(String::into_bytes),
        2 => select(NAMES.as_slice()).prop_map(|it| it.as_bytes().to_vec()),
        2 => "\\PC{0,110}".prop_map(String::into_bytes),
        1 => any::<String>().prop_map(String::into_bytes),
        1 => vec(any::<u8>(), 0..30),
    ]
}

fn amount() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => (0..1_000_000_000_u64, 0..100_u8)
            .prop_map(|(whole, cents)| format!("{whole}.{cents:02}").into_bytes()),
        3 => select(AMOUNTS.as_slice()).prop_map(|it| it.as_bytes().to_vec()),
        1 => "[0-9.eE+ -]{0,12}".prop_map(String::into_bytes),
    ]
}

/// Truncates some bodies, and inserts a byte into others.
fn damaged(body: impl Strategy<Value = Vec<u8>>) -> impl Strategy<Value = Vec<u8>> {
    (body, any::<prop::sample::Index>(), any::<u8>(), 0..10_u8).prop_map(
        |(mut body, index, byte, what)| {
            let at = index.index(body.len() + 1);
            match what {
                0 => body.truncate(at),
                1 => body.insert(at, byte),
                2 => body.insert(at, b'%'),
                _ => {}
            }
            body
        },
    )
}

fn percent_encoded(bytes: &[u8]) -> Vec<u8> {
    let encoded = bytes.iter().map(|byte| match byte {
        b' ' => "+".to_owned(),
        byte if byte.is_ascii_alphanumeric() => char::from(*byte).to_string(),
        byte => format!("%{byte:02X}"),
    });
    encoded.collect::<String>().into_bytes()
}

fn uuid(bits: u128) -> String {
    let hex = format!("{bits:032x}");
    let parts = [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]];
    parts.join("-")
}
