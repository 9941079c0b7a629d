//! Facts of finagle and linkerd 1, one a vector; `tests/conformance/dtab.json` says what its words mean.
//!
//! `DTAB_VECTORS` names a file with more of them.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Display;

use nagaya::dtab::namers::Rewrite;
use nagaya::dtab::{
    Dentry, Dtab, Evaluated, Identifier, NameTree, Outcome, Path, Prefix, Request, SyntaxError, Unbound, overrides,
};
use nagaya::view::delegate_tree::{Addr, DelegateTree};
use serde_json::{Map, Value, json};

use super::fixture::{Fixture, Said};

const OURS: &str = include_str!("../conformance/dtab.json");

/// Left out, by name, each with its reason.
const LEFT_OUT: [(&str, &str); 0] = [];

/// What linkerd leaves alone. Of it, `Dtab-Local` is read here, and its older form in base64 is not.
const ONLY_FINAGLE: &str = "finagle-only";
/// Where an extension of ours may differ from linkerd.
const EXTENDED: &str = "strict-linkerd";

#[test]
fn our_vectors_hold() {
    assert_eq!(hold(&serde_json::from_str(OURS).unwrap()), 174);
}

#[test]
fn vectors_from_elsewhere_hold() {
    let Ok(file) = std::env::var("DTAB_VECTORS") else { return };
    let mut vectors: Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
    // Where exactly reading stops is a matter of taste, but for those that we have.
    for vector in vectors["vectors"].as_array_mut().unwrap() {
        vector["expected"].as_object_mut().unwrap().remove("at");
    }
    println!("{} vectors of {file} hold", hold(&vectors));
}

/// Checks all vectors of a file and counts those that hold.
fn hold(file: &Value) -> usize {
    let is_tagged =
        |vector: &Value, tag: &str| vector["tags"].as_array().is_some_and(|tags| tags.contains(&tag.into()));
    let is_extended = |vector: &Value| is_tagged(vector, EXTENDED) || is_tagged(vector, ONLY_FINAGLE) && is_old(vector);
    let is_left_out = |vector: &Value| LEFT_OUT.iter().any(|(name, _)| vector["id"] == *name);
    let (left, wanted): (Vec<&Value>, Vec<&Value>) =
        file["vectors"].as_array().unwrap().iter().partition(|vector| is_extended(vector) || is_left_out(vector));
    left.iter().for_each(|vector| println!("left out: {}", vector["id"]));
    let wrong = |vector: &&Value| Some(format!("{}: {}\n  {vector}", vector["id"], check(vector).err()?));
    let failed: Vec<String> = wanted.iter().filter_map(wrong).collect();
    assert!(failed.is_empty(), "{} of {} failed:\n{}", failed.len(), wanted.len(), failed.join("\n"));
    wanted.len()
}

fn is_old(vector: &Value) -> bool {
    pairs(&vector["input"]["headers"]).iter().any(|(name, _)| name.to_ascii_lowercase().starts_with("x-dtab"))
}

type Checked = Result<(), String>;

fn check(vector: &Value) -> Checked {
    let (input, expected) = (&vector["input"], &vector["expected"]);
    match vector["kind"].as_str().unwrap() {
        "parse_path" => parsed::<Path>(input, expected, path_facts),
        "parse_prefix" => parsed::<Prefix>(input, expected, |_| json!({})),
        "parse_tree" => parsed::<NameTree<Path>>(input, expected, |tree| json!({ "tree": path_tree(tree) })),
        "parse_dentry" => parsed::<Dentry>(input, expected, |_| json!({})),
        "parse_dtab" => parsed::<Dtab>(input, expected, |dtab| json!({ "entries": dtab.entries().len() })),
        "match" => {
            let matches = read::<Prefix>(&input["prefix"]).strip(&read(&input["path"])).is_some();
            same(&json!({ "matches": matches }), expected)
        }
        "lookup" => shows(&read::<Dtab>(&input["dtab"]).lookup(&read(&input["path"])), expected),
        "simplify" => shows(&read::<NameTree<Path>>(&input["tree"]).simplified(), expected),
        "eval" => evaluated(&read(&input["tree"]), expected),
        "bind" => binds(input, expected, Dtab::default()),
        "delegate" => delegates(input, expected),
        "header" => header(input, expected),
        "dtab_local" => dtab_local(input, expected),
        "identify" => identifies(input, expected),
        "rewrite" => rewrites(input, expected),
        other => Err(format!("vectors of the kind {other} are not known")),
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn read<T: std::str::FromStr<Err = SyntaxError>>(value: &Value) -> T {
    text(value).parse().unwrap_or_else(|error| panic!("{value}: {error}"))
}

fn same(found: &Value, expected: &Value) -> Checked {
    if is_same(found, expected) { Ok(()) } else { Err(format!("found {found}, expected {expected}")) }
}

/// Shares may be written with few digits.
fn is_same(found: &Value, expected: &Value) -> bool {
    match (found, expected) {
        (Value::Number(one), Value::Number(other)) => (one.as_f64().unwrap() - other.as_f64().unwrap()).abs() < 1e-4,
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| is_same(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            one.len() == other.len()
                && one.iter().all(|(key, it)| other.get(key).is_some_and(|other| is_same(it, other)))
        }
        _ => found == expected,
    }
}

fn shows(found: &impl Display, expected: &Value) -> Checked {
    same(&json!({ "show": found.to_string() }), expected)
}

/// What was parsed, printed, and further facts where the vector has them. `finagle_show` is what only finagle prints.
fn parsed<T>(input: &Value, expected: &Value, facts: fn(&T) -> Value) -> Checked
where
    T: std::str::FromStr<Err = SyntaxError> + Display + PartialEq,
{
    let mut expected = expected.clone();
    expected.as_object_mut().unwrap().remove("finagle_show");
    let known = |mut facts: Value| {
        facts.as_object_mut().unwrap().retain(|key, _| expected.get(key).is_some());
        same(&facts, &expected)
    };
    let value: T = match text(&input["text"]).parse() {
        Ok(value) => value,
        Err(error) => return known(json!({ "error": "parse", "at": characters(text(&input["text"]), error.offset) })),
    };
    let shown = value.to_string();
    if shown.parse().ok().as_ref() != Some(&value) {
        return Err(format!("{shown} does not read back"));
    }
    let mut found = facts(&value);
    found["show"] = shown.into();
    known(found)
}

/// Vectors count characters.
fn characters(text: &str, offset: usize) -> usize {
    text[..offset].chars().count()
}

fn path_facts(path: &Path) -> Value {
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let labels: Vec<String> = path.labels().iter().map(|label| hex(label.as_bytes())).collect();
    json!({ "elems_hex": labels })
}

fn tree<T>(of: &NameTree<T>, leaf: &impl Fn(&T) -> Value) -> Value {
    match of {
        NameTree::Neg => "neg".into(),
        NameTree::Fail => "fail".into(),
        NameTree::Empty => "empty".into(),
        NameTree::Leaf(value) => leaf(value),
        NameTree::Alt(trees) => json!({ "alt": trees.iter().map(|one| tree(one, leaf)).collect::<Vec<_>>() }),
        NameTree::Union(branches) => {
            let branch = branches.iter().map(|one| json!([one.weight.get(), tree(&one.tree, leaf)]));
            json!({ "union": branch.collect::<Vec<_>>() })
        }
    }
}

fn path_tree(of: &NameTree<Path>) -> Value {
    tree(of, &|path| json!({ "leaf": path.to_string() }))
}

fn evaluated(tree: &NameTree<Path>, expected: &Value) -> Checked {
    let found = match tree.evaluated() {
        Evaluated::Neg => json!({ "state": "neg" }),
        Evaluated::Fail => json!({ "state": "fail" }),
        Evaluated::Leaves(leaves) => {
            let mut set: Vec<String> = leaves.into_iter().map(Path::to_string).collect();
            set.sort();
            set.dedup();
            json!({ "state": "ok", "set": set })
        }
    };
    same(&found, expected)
}

fn fixture(input: &Value, local: Dtab) -> Fixture {
    let mut fixture = Fixture { local, ..Fixture::new(text(&input["dtab"])) };
    for namer in input["namers"].as_array().into_iter().flatten() {
        let said = |said: &Value| match said.get("tree") {
            Some(tree) => Said::Tree(read(tree)),
            None => Said::Word(text(said).to_owned()),
        };
        let names = namer["names"].as_object().unwrap();
        let names: HashMap<String, Said> = names.iter().map(|(name, it)| (name.clone(), said(it))).collect();
        fixture = fixture.namer(text(&namer["prefix"]), names);
    }
    if let Some(depth) = input["max_depth"].as_u64() {
        fixture.limits.depth = usize::try_from(depth).unwrap();
    }
    fixture
}

/// Binds a path or a tree. Traced or not, it is the same.
fn binds(input: &Value, expected: &Value, local: Dtab) -> Checked {
    let fixture = fixture(input, local);
    let interpreter = fixture.interpreter();
    let outcome = match input.get("tree") {
        Some(tree) => interpreter.bind_tree(&read(tree)),
        None => {
            let path = read(&input["path"]);
            let outcome = interpreter.bind(&path);
            assert_eq!(interpreter.delegate(&path).outcome, outcome, "a trace is of what was bound: {input}");
            outcome
        }
    };
    let mut found = outcome_facts(&outcome);
    for key in ["tree", "distribution"] {
        if expected.get(key).is_none() {
            found.remove(key);
        }
    }
    let keys = ["tree", "distribution", "error", "pending"];
    let expected: Map<String, Value> =
        keys.iter().filter_map(|key| Some(((*key).to_owned(), expected.get(key)?.clone()))).collect();
    same(&found.into(), &expected.into())
}

fn outcome_facts(outcome: &Outcome<()>) -> Map<String, Value> {
    let facts = match outcome {
        Ok(bound) => {
            let leaf = |it: &nagaya::dtab::Bound<()>| json!({ "leaf": it.id.to_string(), "residual": it.residual.to_string() });
            let mut shares: BTreeMap<String, f64> = BTreeMap::new();
            for share in bound.shares() {
                let id = share.leaf.map_or_else(|| "(none)".to_owned(), |leaf| leaf.id.to_string());
                *shares.entry(id).or_default() += share.share;
            }
            json!({ "tree": tree(bound, &leaf), "distribution": shares })
        }
        Err(Unbound::Pending(_)) => json!({ "pending": true }),
        Err(Unbound::TooDeep { .. } | Unbound::TooMuch { .. }) => json!({ "error": "max-depth" }),
        Err(Unbound::UnknownNamer { .. }) => json!({ "error": "unknown-namer" }),
        Err(Unbound::Namer { .. }) => json!({ "error": "namer-error" }),
    };
    facts.as_object().unwrap().clone()
}

/// linkerd's JSON has entries as objects and addresses, where the vectors have texts and none; messages are ours.
fn delegates(input: &Value, expected: &Value) -> Checked {
    let trace = fixture(input, Dtab::default()).interpreter().delegate(&read(&input["path"]));
    let found = serde_json::to_value(DelegateTree::new(&trace, &|_| Addr::Neg)).unwrap();
    let mut expected = expected["json"].clone();
    without_words(&mut expected);
    same(&plain(&found), &expected)
}

fn plain(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let kept = map.iter().filter(|(key, _)| !["addr", "message"].contains(&key.as_str()));
            let plain = |(key, it): (&String, &Value)| match key.as_str() {
                "dentry" => (key.clone(), format!("{}=>{}", text(&it["prefix"]), text(&it["dst"])).into()),
                _ => (key.clone(), plain(it)),
            };
            Value::Object(kept.map(plain).collect())
        }
        Value::Array(items) => items.iter().map(plain).collect(),
        other => other.clone(),
    }
}

fn without_words(value: &mut Value) {
    if let Some(map) = value.as_object_mut() {
        map.retain(|key, _| !["addr", "message"].contains(&key.as_str()));
        map.values_mut().for_each(without_words);
    }
    value.as_array_mut().into_iter().flatten().for_each(without_words);
}

fn pairs(value: &Value) -> Vec<(String, String)> {
    let pair = |it: &Value| (text(&it[0]).to_owned(), text(&it[1]).to_owned());
    value.as_array().into_iter().flatten().map(pair).collect()
}

fn header(input: &Value, expected: &Value) -> Checked {
    let mut headers = pairs(&input["headers"]);
    if input["clear_context"] == true {
        headers.retain(|(name, _)| !overrides::is_of_family(name));
    }
    let read = overrides::read(headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())));
    let Ok(local) = read else { return same(&json!({ "status": 400, "l5d-err": true }), expected) };
    let mut forwarded: Vec<(String, String)> =
        headers.into_iter().filter(|(name, _)| !overrides::is_read(name)).collect();
    forwarded.extend(overrides::forwarded(&local).map(|(name, value)| (name.to_owned(), value)));
    if let Some(shown) = expected.get("local") {
        same(&local.to_string().into(), shown)?;
    }
    if let Some(wanted) = expected.get("forwarded") {
        let mut wanted = pairs(wanted);
        wanted.sort();
        forwarded.sort();
        same(&json!(forwarded), &json!(wanted))?;
    }
    if input.get("path").is_none() {
        return Ok(());
    }
    binds(input, expected, local)
}

/// Finagle's own header, which linkerd leaves alone.
fn dtab_local(input: &Value, expected: &Value) -> Checked {
    let headers = pairs(&input["headers"]);
    let own = headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("dtab-local"));
    let joined: Vec<&str> = own.map(|(_, value)| value.as_str()).collect();
    match Dtab::parse_joined(&joined.join(",")) {
        Ok(dtab) => shows(&dtab, expected),
        Err(error) => Err(error.to_string()),
    }
}

fn identifies(input: &Value, expected: &Value) -> Checked {
    let header = |default: &str| input["header"].as_str().unwrap_or(default).to_owned();
    let segments = input["segments"].as_u64().map(|count| usize::try_from(count).unwrap());
    let with_uri = ["uris", "httpUriInDst"].iter().any(|key| input[*key] == true);
    let identifier = match text(&input["identifier"]) {
        "io.l5d.methodAndHost" => Identifier::MethodAndHost { with_uri },
        "io.l5d.header.token" => Identifier::HeaderToken { header: header("host") },
        "io.l5d.header" => Identifier::Header { header: header("l5d-name") },
        "io.l5d.path" => Identifier::UrlPath { segments: segments.unwrap_or(1), consume: input["consume"] == true },
        "io.l5d.header.path" => Identifier::HeaderPath { header: header(":path"), segments },
        "io.l5d.static" => Identifier::Static(read(&input["path"])),
        other => return Err(format!("the identifier {other} is not known")),
    };
    let prefix = input["prefix"].as_str().unwrap_or("/svc").parse().unwrap();
    let asked = &input["request"];
    let headers = pairs(&asked["headers"]);
    let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let request = Request {
        method: text(&asked["method"]),
        is_http_1_0: asked["version"] == "1.0",
        uri: text(&asked["uri"]),
        headers: &headers,
    };
    let found = match identifier.identify(&prefix, &request) {
        Ok(found) => {
            let mut facts = json!({ "path": found.path.to_string() });
            if let Some(uri) = found.uri.filter(|_| expected.get("uri").is_some()) {
                facts["uri"] = uri.into();
            }
            facts
        }
        Err(_) => json!({ "status": 400 }),
    };
    same(&found, expected)
}

fn rewrites(input: &Value, expected: &Value) -> Checked {
    let rewrite = Rewrite::new(text(&input["pattern"]), text(&input["name"])).map_err(|error| error.to_string())?;
    let found = match rewrite.rewrite(read::<Path>(&input["path"]).labels()) {
        Ok(Some(path)) => json!({ "path": path.to_string() }),
        // However a vector says that there is none.
        Ok(None) if expected.get("path").is_none_or(Value::is_null) && expected.get("error").is_none() => return Ok(()),
        Ok(None) => Value::Null,
        Err(_) => json!({ "error": "namer-error" }),
    };
    same(&found, expected)
}
