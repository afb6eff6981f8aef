//! What holds of the catalog as a whole, told as tests; in tests only.

use super::builtin::built_in;
use super::document::Document;
use super::handle::Catalog;
use super::handle::CatalogConfig;
use super::name::LaneName;
use super::problem::Location;
use super::problem::ProblemCode;
use super::resolve::resolve;
use super::set::DocumentSet;
use super::snapshot::Grant;
use super::snapshot::Snapshot;
use super::spec::Adapter;
use crate::secret::MasterKeySource;
use crate::secret::SecretFault;
use crate::secret::SecretFile;
use crate::secret::SecretReader;
use crate::secret::SecretRef;
use crate::secret::SecretValue;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::fs;
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

/// The smallest catalog, as the documentation has it.
const SMALLEST: &str = r#"
apiVersion: inference-relay/v1
kind: Host
metadata: { name: mock }
spec: { url: "http://127.0.0.1:9911", network: private }   # network: public (default) | private
---
kind: HostKey
metadata: { name: mock-a }
spec: { host: mock, value: { env: MOCK_KEY_A } }            # or { file: PATH } | { secret: NAME }
---
kind: Model
metadata: { name: gpt-test }
spec: { aliases: [gpt-test-latest], price: { currency: USD, input: 2.5, output: 10, cacheRead: 0.25, cacheWrite: 3.125 } }
---
kind: Binding
metadata: { name: gpt-test-mock }
spec: { model: gpt-test, lane: "http:mock", adapter: openai, upstreamName: gpt-x, order: 1, weight: 1 }
---
kind: Policy
metadata: { name: team }
spec: { models: [gpt-test], lanes: ["http:mock"], limits: { requestsPerMinute: 600, tokensPerMinute: 100000, concurrent: 16 }, budget: { amount: 50, per: month } }
---
kind: User
metadata: { name: ada }
spec: { role: admin, passwordHash: "$argon2id$v=19$m=1,t=1,p=1$YQ$YQ" }
"#;

fn set(text: &str) -> DocumentSet {
    DocumentSet::of_text(text, &Location::in_file(Path::new("c.yaml"), 0))
}

/// Every variable has a value but those whose names begin with NO.
fn snapshot(text: &str) -> Snapshot {
    let mut read = |reference: &SecretRef| match reference {
        SecretRef::Env(name) if !name.starts_with("NO") => {
            Ok(SecretValue::parse(name).expect("a value"))
        }
        SecretRef::Stored(name) => Err(Arc::new(SecretFault::Undecryptable { name: name.clone() })),
        other => Err(Arc::new(SecretFault::Unset {
            name: other.to_string(),
        })),
    };
    resolve(&set(text), &mut read, &built_in)
}

fn complaints(text: &str) -> Vec<String> {
    snapshot(text)
        .problems()
        .iter()
        .map(ToString::to_string)
        .collect()
}

#[test]
fn the_smallest_catalog_is_understood_whole() {
    let snapshot = snapshot(SMALLEST);
    assert_eq!(snapshot.problems(), []);
    let model = snapshot
        .model("gpt-test-latest")
        .expect("its alias is known");
    assert_eq!(model.name.as_str(), "gpt-test");
    assert!(Arc::ptr_eq(
        model,
        snapshot.model("gpt-test").expect("its name is known")
    ));
    let binding = &model.bindings[0];
    let (host, adapter) = binding.host().expect("a host is behind it");
    assert_eq!(
        (
            adapter,
            &*binding.upstream_name,
            binding.lane.to_string().as_str()
        ),
        (Adapter::OpenAi, "gpt-x", "http:mock")
    );
    assert_eq!((host.url().port, host.keys.len()), (9911, 1));
    let secret = host.keys[0].secret.as_ref().expect("its variable is set");
    assert_eq!(secret.reveal(), "MOCK_KEY_A");
    let policy = snapshot.policy("team").expect("it is there");
    assert!(
        policy.grants_model(model)
            && policy.grants_lane(&binding.lane)
            && policy.grants_host_key(&host.keys[0])
    );
    assert!(!policy.grants_lane(&LaneName::ClaudePty));
    assert_eq!(policy.limits.requests_per_minute, Some(600));
    assert_eq!(policy.budget.expect("it has one").amount.0, 50_000_000_000);
    assert!(snapshot.user("ada").is_some());
    assert!(snapshot.is_configured());
}

#[test]
fn an_empty_catalog_configures_nothing_and_neither_do_users_alone() {
    assert!(!snapshot("").is_configured());
    let user = SMALLEST.rsplit("---\n").next().expect("the last document");
    assert!(!snapshot(user).is_configured());
    assert!(snapshot("kind: Host\nmetadata: { name: broken }\n").is_configured());
}

#[test]
fn a_word_that_there_is_not_is_told_with_its_line_and_the_nearest_one() {
    let wrong = SMALLEST
        .replace("kind: Model", "kind: Modle")
        .replace("upstreamName", "upstream_name")
        .replace("network: private", "network: privat")
        .replace("requestsPerMinute", "requestPerMinute")
        .replace("host: mock,", "host: mok,");
    let found = complaints(&wrong);
    for expected in [
        "c.yaml:5: Host mock: spec.network: \"privat\" is not known here; did you mean \"private\"?",
        "c.yaml:11: kind: there is no kind \"Modle\"; did you mean \"Model\"?",
        "c.yaml:17: Binding gpt-test-mock: unknown field \"spec.upstream_name\"; did you mean \"upstreamName\"?",
        "c.yaml:21: Policy team: unknown field \"spec.limits.requestPerMinute\"; did you mean \"requestsPerMinute\"?",
    ] {
        assert!(
            found.iter().any(|found| found == expected),
            "{expected}\n{found:#?}"
        );
    }
    let dangling = complaints(&SMALLEST.replace("host: mock,", "host: mok,"));
    assert_eq!(
        dangling,
        ["c.yaml:7: HostKey mock-a: there is no host \"mok\"; did you mean \"mock\"?"]
    );
}

#[test]
fn one_bad_row_spoils_one_row() {
    let more = "---\nkind: HostKey\nmetadata: { name: mock-b }\nspec: { host: mock, value: { env: NO_SUCH } }\n\
        ---\nkind: HostKey\nmetadata: { name: mock-c }\nspec: { host: mock, value: { secret: lost } }\n\
        ---\nkind: Binding\nmetadata: { name: astray }\nspec: { model: gpt-test, lane: \"http:nowhere\", adapter: openai }\n\
        ---\nkind: Host\nmetadata: { name: odd }\nspec: { url: \"http://2130706433\" }\n";
    let snapshot = snapshot(&format!("{SMALLEST}{more}"));
    let codes: Vec<_> = snapshot
        .problems()
        .iter()
        .map(|problem| problem.code)
        .collect();
    assert_eq!(
        codes,
        [
            ProblemCode::Field,
            ProblemCode::Secret,
            ProblemCode::SecretUndecryptable,
            ProblemCode::Dangling
        ]
    );
    let model = snapshot.model("gpt-test").expect("it serves");
    assert_eq!(model.bindings.len(), 1);
    let host = snapshot.host("mock").expect("it serves");
    let usable: Vec<_> = host
        .keys
        .iter()
        .map(|key| (key.name.as_str(), key.is_usable()))
        .collect();
    assert_eq!(
        usable,
        [("mock-a", true), ("mock-b", false), ("mock-c", false)]
    );
    assert!(snapshot.host("odd").is_none());
}

#[test]
fn a_disabled_row_is_there_and_says_so() {
    let text = SMALLEST.replace("spec: {", "spec: { enabled: false,");
    let snapshot = snapshot(&text);
    assert_eq!(snapshot.problems(), []);
    let model = snapshot.model("gpt-test").expect("it is known");
    assert!(!model.enabled && model.enabled_bindings().next().is_none());
    assert!(
        snapshot
            .policy("team")
            .is_some_and(|policy| !policy.enabled)
    );
    assert!(
        snapshot
            .host("mock")
            .is_some_and(|host| !host.enabled && !host.keys[0].is_usable())
    );
}

#[test]
fn a_list_whose_models_are_all_gone_grants_nothing() {
    let snapshot = snapshot("kind: Policy\nmetadata: { name: p }\nspec: { models: [gone] }\n");
    let policy = snapshot.policy("p").expect("it is there");
    assert_eq!(
        policy.models,
        Grant::Only(std::collections::BTreeSet::new())
    );
    assert_eq!(snapshot.problems()[0].code, ProblemCode::Dangling);
    let open = complaints("kind: Policy\nmetadata: { name: p }\nspec: {}\n");
    assert!(open[0].contains("a policy says what it grants"), "{open:?}");
}

#[test]
fn bindings_stand_in_their_order_and_find_built_in_models() {
    let binding = |name: &str, lane: &str, order: u32| {
        format!(
            "---\nkind: Binding\nmetadata: {{ name: {name} }}\nspec: {{ model: claude-opus-4-5, lane: {lane}, order: {order} }}\n"
        )
    };
    let text = binding("c", "claude-print", 2)
        + &binding("b", "claude-pty", 1)
        + &binding("a", "codex", 2);
    let snapshot = snapshot(&text);
    assert_eq!(snapshot.problems(), []);
    let model = snapshot.model("claude-opus-4-5").expect("it is built in");
    assert!(model.spec.price.is_some());
    let names: Vec<_> = model
        .bindings
        .iter()
        .map(|binding| binding.name.as_str())
        .collect();
    assert_eq!(names, ["b", "a", "c"]);
    assert!(model.price().is_some());
    assert!(
        snapshot.model("gpt-4o").is_none(),
        "what is not bound is not there"
    );
}

#[test]
fn a_name_wins_over_an_alias_and_the_first_alias_over_the_next() {
    let model = |name: &str, alias: &str| {
        format!("---\nkind: Model\nmetadata: {{ name: {name} }}\nspec: {{ aliases: [{alias}] }}\n")
    };
    let snapshot = snapshot(&(model("a", "b") + &model("b", "c") + &model("d", "c")));
    let called = |name: &str| snapshot.model(name).map(|model| model.name.to_string());
    assert_eq!(
        (called("b"), called("c")),
        (Some("b".into()), Some("b".into()))
    );
    let codes: Vec<_> = snapshot
        .problems()
        .iter()
        .map(|problem| problem.code)
        .collect();
    assert_eq!(codes, [ProblemCode::Duplicate, ProblemCode::Duplicate]);
}

#[test]
fn what_is_wrong_in_a_row_says_what_to_write() {
    for (spec, expected) in [
        (
            "kind: Binding\nmetadata: { name: x }\nspec: { model: m, lane: \"http:h\" }",
            "spec.adapter: a host's binding says what it speaks",
        ),
        (
            "kind: Binding\nmetadata: { name: x }\nspec: { model: m, lane: claude-pty, adapter: openai }",
            "only a host's binding has an adapter",
        ),
        (
            "kind: Binding\nmetadata: { name: x }\nspec: { model: m, lane: claude-pt }",
            "did you mean \"claude-pty\"?",
        ),
        (
            "kind: HostKey\nmetadata: { name: x }\nspec: { host: h, value: sk-123 }",
            "spec.value takes fields, not a single value",
        ),
        (
            "kind: HostKey\nmetadata: { name: x }\nspec: { host: h, value: {} }",
            "a credential itself never stands here",
        ),
        (
            "kind: Host\nmetadata: { name: x }\nspec: { url: \"https://a.example\", headers: { Authorization: x } }",
            "put it into a HostKey",
        ),
        (
            "kind: Host\nmetadata: { name: x }\nspec: { url: \"https://a.example\", timeouts: { connect: fast } }",
            "write such as 10s",
        ),
        (
            "kind: Host\nmetadata: { name: \"a b\" }\nspec: { url: \"https://a.example\" }",
            "is not a name",
        ),
        (
            "kind: Host\nspec: { url: \"https://a.example\" }",
            "metadata is missing",
        ),
        (
            "kind: Model\nmetadata: { name: x }\nspec: { price: { input: 2,5, output: 1 } }",
            "unknown field \"spec.price.5\"",
        ),
        (
            "kind: Policy\nmetadata: { name: x }\nspec: { all: true, budget: { amount: 5, per: year } }",
            "is not known here; did you mean",
        ),
        (
            "kind: User\nmetadata: { name: x }\nspec: { role: admin, passwordHash: hunter2 }",
            "a password itself never stands here",
        ),
        (
            "apiVersion: v2\nkind: Host\nmetadata: { name: x }",
            "this relay reads inference-relay/v1",
        ),
        ("just a text", "a document takes fields"),
    ] {
        let found = complaints(spec).join("\n");
        let expected_year =
            expected.starts_with("is not known here") && found.contains("there are day, month");
        assert!(
            found.contains(expected) || expected_year,
            "{expected}\n{found}"
        );
        assert!(!found.contains("hunter2"), "{found}");
    }
}

#[test]
fn one_wrong_field_makes_no_other_one_unknown() {
    for text in [
        "kind: Host\nmetadata: { name: x }\nspec: { url: nowhere, auth: none, timeouts: { idle: 1s }, tls: { ca: a }, proxy: none, http: auto, choose: order }",
        "kind: Policy\nmetadata: { name: x }\nspec: { lanes: [codex], hostKeys: [a], limits: { concurrent: 1 }, budget: { amount: 1, per: day }, perKey: { limits: { concurrent: 1 } } }",
    ] {
        let found = complaints(text);
        assert_eq!(found.len(), 1, "{found:?}");
    }
    let found = complaints(
        "kind: Host\nmetadata: { name: x }\nspec: { url: \"https://a.example\", colour: red }",
    );
    assert_eq!(found.join("").matches("url").count(), 1, "{found:?}");
}

#[test]
fn an_export_is_stable_and_means_the_same() {
    let first = set(SMALLEST);
    let text = first.export();
    let again = DocumentSet::of_text(&text, &Location::default());
    assert_eq!(again.problems(), [], "{text}");
    assert_eq!(again.export(), text);
    let same = first
        .iter()
        .zip(again.iter())
        .all(|(one, other)| one.says_the_same(other));
    assert!(same && first.len() == again.len(), "{text}");
    let yaml = first.iter().next().map(Document::to_yaml);
    let expected = "---\napiVersion: inference-relay/v1\nkind: Host\nmetadata:\n  name: mock\nspec:\n  url: \"http://127.0.0.1:9911\"\n  network: private\n";
    assert_eq!(yaml.as_deref(), Some(expected));
}

proptest! {
    #[test]
    fn whatever_a_text_holds_it_comes_back_from_its_export(
        text in "[ -~äß€😀\\t]{1,40}",
        amount in 0..u64::MAX,
        wait in 1..86_400_000u64,
    ) {
        let quoted = serde_json::Value::from(text.as_str());
        let amount = super::price::Nanos(amount);
        let wait = humantime::format_duration(std::time::Duration::from_millis(wait));
        let source = format!(
            "kind: Host\nmetadata: {{ name: h }}\nspec: {{ url: \"https://a.example\", headers: {{ x-any: {quoted} }}, timeouts: {{ idle: \"{wait}\" }} }}\n\
             ---\nkind: Model\nmetadata: {{ name: \"a/b:c\" }}\nspec: {{ price: {{ input: {amount}, output: 0 }} }}\n"
        );
        let first = set(&source);
        prop_assert_eq!(first.problems(), []);
        let again = DocumentSet::of_text(&first.export(), &Location::default());
        prop_assert_eq!(again.problems(), []);
        prop_assert!(first.iter().zip(again.iter()).all(|(one, other)| one.says_the_same(other)), "{}", first.export());
    }

    #[test]
    fn a_random_change_of_the_text_never_panics_and_never_takes_more_than_it_touches(
        at in 0..SMALLEST.len(),
        byte in "[a-z{}\\[\\]:, \n\"'-]",
    ) {
        let mut text = SMALLEST.to_owned();
        text.replace_range(at..=at, &byte);
        let snapshot = snapshot(&text);
        let count = snapshot.hosts().count() + snapshot.models().count() + snapshot.users().count();
        prop_assert!(count <= 3);
    }
}

fn catalog(dir: &Path) -> Catalog {
    let vars: BTreeMap<_, _> = [("MOCK_KEY_A".into(), "sk-1".into())].into();
    let (file, master) = (SecretFile::of(dir), MasterKeySource::of(dir, None));
    let secrets = SecretReader::new(Arc::new(vars), dir.to_owned(), file, master);
    let config = CatalogConfig {
        dir: dir.join("catalog"),
        is_named: false,
        brought: String::new(),
    };
    Catalog::open(config, secrets)
}

#[test]
fn a_broken_row_is_out_while_it_runs_and_every_other_change_is_in_force() {
    let home = tempfile::tempdir().expect("a folder");
    let catalog = catalog(home.path());
    assert!(!catalog.snapshot().is_configured(), "there is nothing yet");
    let folder = home.path().join("catalog");
    let file = folder.join("all.yaml");
    fs::create_dir(&folder).expect("a folder");
    fs::write(&file, SMALLEST).expect("it is written");
    catalog.reload();
    assert!(catalog.snapshot().model("gpt-test").is_some());
    let bad = "kind: Policy\nmetadata: { name: bad }\nspec: { limts: {} }\n";
    fs::write(folder.join("bad.yaml"), bad).expect("it is written");
    fs::write(&file, SMALLEST.replace("gpt-test", "gpt-next")).expect("it is written");
    catalog.reload();
    let snapshot = catalog.snapshot();
    assert!(snapshot.model("gpt-test").is_none() && snapshot.model("gpt-next").is_some());
    let problems: Vec<String> = snapshot
        .problems()
        .iter()
        .map(ToString::to_string)
        .collect();
    assert!(
        problems
            .iter()
            .any(|told| told.contains("bad.yaml:3: Policy bad: unknown field \"spec.limts\"")),
        "{problems:?}"
    );
    fs::write(&file, SMALLEST.replace("aliases: [", "aliases: ")).expect("it is written");
    catalog.reload();
    assert!(
        catalog.snapshot().model("gpt-test").is_none(),
        "a row that is wrong now is out, as it is after a start"
    );
    assert_eq!(catalog.status().generation, 4);
}

#[test]
fn a_file_that_was_emptied_keeps_its_rows_until_it_has_been_so_for_a_while() {
    let home = tempfile::tempdir().expect("a folder");
    let folder = home.path().join("catalog");
    fs::create_dir(&folder).expect("a folder");
    let (file, other) = (folder.join("all.yaml"), folder.join("other.yaml"));
    fs::write(&file, SMALLEST).expect("it is written");
    let catalog = catalog(home.path());
    let has = |model: &str| {
        catalog.reload();
        catalog.snapshot().model(model).is_some()
    };
    fs::write(&file, "\n").expect("it is emptied");
    let more = "kind: Model\nmetadata: { name: more }\nspec: {}\n";
    fs::write(&other, more).expect("it is written");
    assert!(has("gpt-test"), "somebody is just writing it");
    assert!(has("more"), "every other change is in force");
    assert!(catalog.status().look_again.is_some());
    let next = SMALLEST.replace("gpt-test", "gpt-next");
    fs::write(&file, next).expect("it is written");
    assert!(has("gpt-next") && !has("gpt-test"), "it is whole again");
    assert_eq!(catalog.status().look_again, None);
    fs::write(&file, "").expect("it is emptied");
    let stood = File::options().append(true).open(&file);
    let stood = stood.and_then(|file| file.set_modified(std::time::UNIX_EPOCH));
    stood.expect("it is stamped");
    assert!(!has("gpt-next"), "it was meant so");
    fs::remove_file(&other).expect("it is removed");
    assert!(!has("more"), "a file that is gone is not being written");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_file_that_is_written_slowly_keeps_its_rows_until_it_is_closed() {
    let home = tempfile::tempdir().expect("a folder");
    let folder = home.path().join("catalog");
    fs::create_dir(&folder).expect("a folder");
    let file = folder.join("all.yaml");
    fs::write(&file, SMALLEST).expect("it is written");
    let catalog = catalog(home.path());
    let watching = super::watch(catalog.clone());
    let mut told = catalog.subscribe();
    let mut comes = async |model: &str| {
        let comes = told.wait_for(|_| catalog.snapshot().model(model).is_some());
        let comes = tokio::time::timeout(std::time::Duration::from_secs(30), comes).await;
        drop(comes.expect("it must come in time").expect("it is open"));
    };
    let declare = |name: &str| {
        let row = format!("kind: Model\nmetadata: {{ name: {name} }}\nspec: {{}}\n");
        fs::write(folder.join(format!("{name}.yaml")), row).expect("it is written");
    };
    // What is told afterwards is told by a watch that was there when the writing began.
    declare("watched");
    comes("watched").await;
    let next = SMALLEST.replace("gpt-test", "gpt-next");
    let (half, rest) = next.split_at(next.find("kind: Model").expect("it has one"));
    let mut writer = File::create(&file).expect("it is emptied");
    writer.write_all(half.as_bytes()).expect("it is written");
    declare("more");
    comes("more").await;
    let rows = catalog.snapshot();
    assert!(rows.model("gpt-test").is_some(), "it is half written");
    writer.write_all(rest.as_bytes()).expect("it is written");
    drop(writer);
    comes("gpt-next").await;
    assert!(catalog.snapshot().model("gpt-test").is_none());
    watching.abort();
}

#[test]
fn a_written_row_takes_the_place_of_a_broken_one_and_what_is_not_read_is_not_done() {
    let home = tempfile::tempdir().expect("a folder");
    let folder = home.path().join("catalog");
    fs::create_dir(&folder).expect("a folder");
    let policy = |text: &str| DocumentSet::of_text(text, &Location::default());
    let wanted = policy("kind: Policy\nmetadata: { name: bad }\nspec: { models: [] }\n");
    let written = || {
        let changes = super::diff(&super::load(&folder), &wanted, super::Prune::Keep);
        super::write(&folder, &changes).map_err(|fault| fault.to_string())
    };
    let bad = "kind: Policy\nmetadata: { name: bad }\nspec: { limts: {} }\n---\nkind: Model\nmetadata: { name: m }\nspec: {}\n";
    fs::write(folder.join("bad.yaml"), bad).expect("it is written");
    assert_eq!(written(), Ok(()));
    let now = super::load(&folder);
    assert_eq!((now.len(), now.problems()), (2, &[][..]));
    fs::remove_file(folder.join("bad.yaml")).expect("it is removed");
    fs::write(folder.join("policy-bad.yaml"), "kind: {").expect("it is written");
    let told = written().expect_err("no reader gets to it");
    assert!(
        told.starts_with("the change of Policy bad was written and is not in force: mend ")
            && told.contains("policy-bad.yaml:"),
        "{told}"
    );
}

#[tokio::test]
async fn a_secret_that_changes_is_in_force_without_a_change_of_the_catalog() {
    let home = tempfile::tempdir().expect("a folder");
    let file = home.path().join("catalog/key");
    fs::create_dir(home.path().join("catalog")).expect("a folder");
    let rows = "kind: Host\nmetadata: { name: h }\nspec: { url: \"https://a.example\" }\n---\n\
                kind: HostKey\nmetadata: { name: filed }\nspec: { host: h, value: { file: catalog/key } }\n---\n\
                kind: HostKey\nmetadata: { name: stored }\nspec: { host: h, value: { secret: s } }\n";
    fs::write(home.path().join("catalog/all.yaml"), rows).expect("it is written");
    let catalog = catalog(home.path());
    let watching = super::watch(catalog.clone());
    let mut status = catalog.subscribe();
    let mut until = async |step: &str, wanted: [Option<&str>; 2]| {
        let in_force = async {
            loop {
                let host = catalog.snapshot().host("h").cloned().expect("it is there");
                let value = |key: &Arc<super::HostKey>| {
                    key.secret
                        .as_ref()
                        .ok()
                        .map(|value| value.reveal().to_owned())
                };
                let values: Vec<Option<String>> = host.keys.iter().map(value).collect();
                if values.iter().map(Option::as_deref).eq(wanted) {
                    return;
                }
                status.changed().await.expect("the catalog is there");
            }
        };
        let limit = std::time::Duration::from_secs(20);
        tokio::time::timeout(limit, in_force)
            .await
            .unwrap_or_else(|_| panic!("{step}"));
    };
    until("nothing is there", [None, None]).await;
    fs::write(&file, "sk-1").expect("it is written");
    until("a file is made", [Some("sk-1"), None]).await;
    fs::write(&file, "sk-two").expect("it is written");
    until("a file is edited", [Some("sk-two"), None]).await;
    let (sealed, master) = (
        SecretFile::of(home.path()),
        MasterKeySource::of(home.path(), None),
    );
    let store = |text: &str| {
        let value = SecretValue::parse(text).expect("it is one");
        sealed.set("s", &value, &master, 1).expect("it is stored");
    };
    store("sk-stored");
    until("one is stored", [Some("sk-two"), Some("sk-stored")]).await;
    let key = home.path().join("master.key");
    let text = fs::read(&key).expect("it is there");
    fs::remove_file(&key).expect("it is removed");
    until("the master key is gone", [Some("sk-two"), None]).await;
    fs::write(&key, text).expect("it is written");
    until(
        "the master key is back",
        [Some("sk-two"), Some("sk-stored")],
    )
    .await;
    sealed.remove("s").expect("it is removed");
    until("it is forgotten", [Some("sk-two"), None]).await;
    watching.abort();
}

#[tokio::test]
async fn a_change_of_the_folder_is_in_force_without_being_asked_for() {
    let home = tempfile::tempdir().expect("a folder");
    let catalog = catalog(home.path());
    let mut status = catalog.subscribe();
    let watching = super::watch(catalog.clone());
    let deadline = std::time::Duration::from_secs(20);
    status
        .changed()
        .await
        .expect("it is read once at the start");
    fs::write(home.path().join("catalog/all.yaml"), SMALLEST).expect("it is written");
    let in_force = tokio::time::timeout(deadline, async {
        while !catalog.snapshot().is_configured() {
            status.changed().await.expect("the catalog is there");
        }
    });
    in_force.await.expect("the change must come into force");
    watching.abort();
    assert!(catalog.snapshot().model("gpt-test").is_some());
}
