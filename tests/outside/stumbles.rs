//! A troubleshooting page, line by line: each stumble provoked by a call, told by the relay, found in the dashboard by the
//! call's id and mended there by the keyboard alone; then provoked once more, and found and mended by the API.

use super::dashboard::Plane;
use super::missing::Missing;
use super::missing::trials;
use super::page::browser;
use super::person::Person;
use super::person::Stumble;
use super::person::Table;
use super::restarts;
use super::support::api_host::Asked;
use super::support::api_host::Host;
use super::support::api_host::Said;
use super::support::api_host::answered;
use super::support::api_host::fails;
use super::support::api_host::fails_with;
use super::support::api_host::says;
use super::support::client;
use super::support::relay::World;
use libtest_mimic::Trial;
use serde_json::Value;
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;

pub(crate) fn all() -> Vec<Trial> {
    trials![every_stumble_is_found_and_mended_in_the_browser_and_by_api]
}

const SAVE: &str = "form.fields button";
const KEYS: &str = "401 Unauthorized";
const GRANTS: &str = "403 Forbidden: model not granted";
const MODELS: &str = "404: unknown model or no binding";
const POOL: &str = "502 / 503: no healthy keys in pool";
const ADAPTER: &str = "Adapter mismatch";

fn every_stumble_is_found_and_mended_in_the_browser_and_by_api() -> Result<(), Missing> {
    let browser = browser()?;
    browser.look(1024, 640, "light");
    let is_busy = Arc::new(AtomicBool::new(false));
    let (mock, chat) = (host_of_messages(Arc::clone(&is_busy)), host_of_chat());
    // More bad keys than a guesser may try.
    let world = World::scripted("").server("[auth]\nbad_keys_max = 1000");
    world.credential("key-b", "sk-b");
    let mut plane = Plane::start(world);
    let table = Table::default();
    let person = Person::in_front_of(&browser, &plane, &table);
    plane.log_in(&browser);
    declares(&person, &mock, &chat);
    keys(&person);
    grants(&person);
    models(&person);
    breakers(&person, &is_busy);
    adapters(&person);
    let key = person.key();
    drop(person);
    restarts::doors(&browser, &mut plane, &table);
    restarts::secrets(&browser, plane, &table, &key);
    table.is_the_one_of_the_report();
    Ok(())
}

/// A host of the Messages API that knows one key, and may be busy.
fn host_of_messages(is_busy: Arc<AtomicBool>) -> Host {
    Host::answering(move |asked: &Asked| -> Said {
        match asked.key() {
            "sk-good" if is_busy.load(Ordering::Relaxed) => {
                fails_with(429, "retry-after: 600\r\n", "rate_limit_error", "slow down")
            }
            "sk-good" => says(asked, "hi"),
            _ => fails(401, "authentication_error", "invalid x-api-key"),
        }
    })
}

fn host_of_chat() -> Host {
    Host::answering(|_: &Asked| {
        answered(&json!({
            "id": "c", "object": "chat.completion", "created": 1, "model": "up",
            "choices": [{"index": 0, "message": {"role": "assistant", "content": "hi"}, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
        }))
    })
}

const TEAM: &str = "policies/team";
const BOUND: &str = "bindings/gpt-test-mock";

fn team(models: &[&str]) -> Value {
    json!({"models": models, "lanes": ["http:mock", "http:chat"]})
}

fn bound(model: &str, host: &str, adapter: &str) -> Value {
    json!({"model": model, "lane": format!("http:{host}"), "adapter": adapter, "upstreamName": "up"})
}

/// What serves two models by two hosts, of which one's key is stored and the other's is in a file.
fn declares(person: &Person<'_>, mock: &Host, chat: &Host) {
    let host = |host: &Host| json!({"url": host.url(), "network": "private"});
    person.puts("hosts/mock", &host(mock));
    person.puts("hosts/chat", &host(chat));
    let value = json!({"secret": "mock-a"});
    person.puts("host-keys/mock-a", &json!({"host": "mock", "value": value}));
    let value = json!({"file": "key-b"});
    person.puts("host-keys/chat-a", &json!({"host": "chat", "value": value}));
    person.stores("sk-good");
    for model in ["gpt-test", "chatty", "other"] {
        person.puts(&format!("models/{model}"), &json!({}));
    }
    person.puts(BOUND, &bound("gpt-test", "mock", "anthropic"));
    person.puts("bindings/chatty-chat", &bound("chatty", "chat", "openai"));
    person.puts(TEAM, &team(&["gpt-test", "chatty"]));
    person.mints("app");
    person.ends("gpt-test", 200, "");
    person.ends("chatty", 200, "");
}

/// "Missing, malformed, or wrong", "the plaintext and not the id", "lost", "disabled"; and expired.
fn keys(person: &Person<'_>) {
    let text = person.key();
    let id = person.api("GET /api/v1/relay-keys", &Value::Null).json()["items"][0]["id"].clone();
    let id = id.as_str().unwrap_or_default().to_owned();
    for (what, shown, code) in [
        ("no key at all", String::new(), "key_missing"),
        (
            "another service's key",
            "Bearer sk-1".to_owned(),
            "key_malformed",
        ),
        ("the key without `Bearer`", text.clone(), "key_malformed"),
    ] {
        person.stumbles(&Stumble {
            at: (KEYS, what),
            breaks: &|| {},
            asks: &|| person.asks_with(&shown, "gpt-test"),
            told: (401, code),
            by_hand: ("nothing: the caller sends what the story says", &|| {}),
            by_api: ("nothing", &|| {}),
            model: "gpt-test",
        });
    }
    person.stumbles(&Stumble {
        at: (KEYS, "the key's id in place of its text, which is lost"),
        breaks: &|| {},
        asks: &|| person.asks_with(&format!("Bearer {id}"), "gpt-test"),
        told: (401, "key_malformed"),
        by_hand: ("Keys, Change, Make a new text", &|| {
            renews(person);
        }),
        by_api: (ROTATE, &|| renews_by_api(person)),
        model: "gpt-test",
    });
    person.stumbles(&Stumble {
        at: (KEYS, "the text from before a rotation"),
        breaks: &|| {
            let old = person.key();
            person.api(ROTATE, &json!({}));
            person.takes(&old);
        },
        asks: &|| person.asks("gpt-test"),
        told: (401, "key_expired"),
        by_hand: ("Keys, Change, Make a new text", &|| {
            renews(person);
        }),
        by_api: (ROTATE, &|| renews_by_api(person)),
        model: "gpt-test",
    });
    person.stumbles(&Stumble {
        at: (KEYS, "a key that was deleted"),
        breaks: &|| {
            person.api("DELETE /api/v1/relay-keys/app", &Value::Null);
        },
        asks: &|| person.asks("gpt-test"),
        told: (401, "key_unknown"),
        by_hand: ("Keys, New key", &|| {
            person.goes("/keys");
            person.browser.writes("#name", "app");
            person.browser.chooses("#policy", "team");
            person.browser.sends("form[action='/keys'] button");
            person.takes(&person.browser.copies("#minted"));
        }),
        by_api: ("POST /api/v1/relay-keys", &|| person.mints("app")),
        model: "gpt-test",
    });
    person.stumbles(&Stumble {
        at: (KEYS, "a disabled key"),
        breaks: &|| {
            person.api("PATCH /api/v1/relay-keys/app", &json!({"disabled": true}));
        },
        asks: &|| person.asks("gpt-test"),
        told: (401, "key_disabled"),
        by_hand: ("the story's link to the keys, Enable", &|| {
            person.browser.sends("main a[href='/keys']");
            person.sees("disabled");
            person.browser.sends("form[action$='/switch'] button");
            person.sees("active");
        }),
        by_api: (
            "PATCH /api/v1/relay-keys/app {\"disabled\": false}",
            &|| {
                person.api("PATCH /api/v1/relay-keys/app", &json!({"disabled": false}));
            },
        ),
        model: "gpt-test",
    });
    person.stumbles(&Stumble {
        at: (KEYS, "an expired key"),
        breaks: &|| {
            person.api("PATCH /api/v1/relay-keys/app", &json!({"expires_in_s": 0}));
        },
        asks: &|| person.asks("gpt-test"),
        told: (401, "key_expired"),
        by_hand: ("Keys, Change, Good until: no end", &|| {
            person.changes_key("app");
            person.browser.tabs_to("#ends");
            person.browser.types("no end");
            person.browser.sends(SAVE);
            person.sees("active");
        }),
        by_api: (
            "PATCH /api/v1/relay-keys/app {\"expires_in_s\": null}",
            &|| {
                person.api(
                    "PATCH /api/v1/relay-keys/app",
                    &json!({"expires_in_s": null}),
                );
            },
        ),
        model: "gpt-test",
    });
}

/// Has a new text made of the key, and takes it.
fn renews(person: &Person<'_>) {
    person.changes_key("app");
    person.browser.sends("form[action$='/rotate'] button");
    person.takes(&person.browser.copies("#minted"));
}

const ROTATE: &str = "POST /api/v1/relay-keys/app/rotate";

fn renews_by_api(person: &Person<'_>) {
    let told = person.api(ROTATE, &json!({}));
    person.takes(told.json()["key"].as_str().unwrap_or_default());
}

/// "Its policy doesn't grant the requested model."
fn grants(person: &Person<'_>) {
    person.stumbles(&Stumble {
        at: (GRANTS, "the policy does not have the model"),
        breaks: &|| person.puts(TEAM, &team(&["chatty"])),
        asks: &|| person.asks("gpt-test"),
        told: (403, "model_not_granted"),
        by_hand: ("Policies, team, Models", &|| {
            person.goes_to("/policies", "/policies/team");
            person.browser.writes("#f-models", "gpt-test, chatty");
            person.saves();
        }),
        by_api: ("PUT /api/v1/policies/team", &|| {
            person.puts(TEAM, &team(&["gpt-test", "chatty"]));
        }),
        model: "gpt-test",
    });
    person.stumbles(&Stumble {
        at: (GRANTS, "the policy is disabled"),
        breaks: &|| person.puts_disabled(TEAM, &team(&["gpt-test", "chatty"])),
        asks: &|| person.asks("gpt-test"),
        told: (403, "policy_disabled"),
        by_hand: ("Policies, team, Enabled", &|| {
            person.goes_to("/policies", "/policies/team");
            person.ticks("#f-enabled");
            person.saves();
        }),
        by_api: ("PUT /api/v1/policies/team", &|| {
            person.puts(TEAM, &team(&["gpt-test", "chatty"]));
        }),
        model: "gpt-test",
    });
}

/// "Doesn't resolve to any catalog model", "has no enabled host binding", "list what your key can reach".
fn models(person: &Person<'_>) {
    person.stumbles(&Stumble {
        at: (MODELS, "a name that the catalog does not have"),
        breaks: &|| person.puts("models/gpt-test", &json!({})),
        asks: &|| person.asks("gpt-latest"),
        told: (404, "model_unknown"),
        by_hand: ("Models, gpt-test, Aliases", &|| {
            person.goes_to("/models", "/models/gpt-test");
            person.browser.writes("#f-aliases", "gpt-latest");
            person.saves();
        }),
        by_api: ("PUT /api/v1/models/gpt-test", &|| {
            person.puts("models/gpt-test", &json!({"aliases": ["gpt-latest"]}));
        }),
        model: "gpt-latest",
    });
    person.stumbles(&Stumble {
        at: (MODELS, "a model without a binding"),
        breaks: &|| {
            person.api("DELETE /api/v1/bindings/other-mock", &Value::Null);
            person.puts(TEAM, &team(&["gpt-test", "chatty", "other"]));
        },
        asks: &|| person.asks("other"),
        told: (404, "model_unbound"),
        by_hand: ("the story's link to the route, Bind it to one", &|| {
            person.browser.sends("main a[href^='/route?']");
            person.sees("model_unbound");
            person.browser.sends("main a[href='/bindings/-/new']");
            person.browser.writes("#f-name", "other-mock");
            person.browser.chooses("#f-model", "other");
            person.browser.chooses("#f-lane", "http:mock");
            person.browser.chooses("#f-adapter", "anthropic");
            person.saves();
        }),
        by_api: ("PUT /api/v1/bindings/other-mock", &|| {
            person.puts("bindings/other-mock", &bound("other", "mock", "anthropic"));
        }),
        model: "other",
    });
    person.stumbles(&Stumble {
        at: (MODELS, "a binding that is disabled"),
        breaks: &|| person.puts_disabled(BOUND, &bound("gpt-test", "mock", "anthropic")),
        asks: &|| person.asks("gpt-test"),
        told: (404, "model_unbound"),
        by_hand: ("Bindings, gpt-test-mock, Enabled", &|| {
            person.goes_to("/bindings", "/bindings/gpt-test-mock");
            person.ticks("#f-enabled");
            person.saves();
        }),
        by_api: ("PUT /api/v1/bindings/gpt-test-mock", &|| {
            person.puts(BOUND, &bound("gpt-test", "mock", "anthropic"));
        }),
        model: "gpt-test",
    });
    person.stumbles(&Stumble {
        at: (MODELS, "a model that is disabled"),
        breaks: &|| person.puts_disabled("models/gpt-test", &json!({})),
        asks: &|| person.asks("gpt-test"),
        told: (404, "model_disabled"),
        by_hand: ("Models, gpt-test, Enabled", &|| {
            person.goes_to("/models", "/models/gpt-test");
            person.ticks("#f-enabled");
            person.saves();
        }),
        by_api: ("PUT /api/v1/models/gpt-test", &|| {
            person.puts("models/gpt-test", &json!({}));
        }),
        model: "gpt-test",
    });
    let list = client::send(
        person.plane.relay.address,
        format!(
            "GET /v1/models HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\nauthorization: Bearer {}\r\n\r\n",
            person.key()
        )
        .as_bytes(),
    );
    let list = list.whole().body;
    for model in ["\"gpt-test\"", "\"chatty\"", "\"other\""] {
        assert!(list.contains(model), "{list}");
    }
}

/// "The upstream credential is wrong, revoked, or rate-limited"; "a rotated key gets a fresh breaker".
fn breakers(person: &Person<'_>, is_busy: &AtomicBool) {
    person.stumbles(&Stumble {
        at: (POOL, "the host refuses its key"),
        breaks: &|| person.stores("sk-revoked"),
        asks: &|| person.asks("gpt-test"),
        told: (503, "no_healthy_keys"),
        by_hand: ("Host keys, mock-a: open, auth; Store a new value", &|| {
            person.goes_to("/host-keys", "/host-keys/mock-a");
            person.sees("auth");
            person.browser.writes("#secret", "sk-good");
            person.browser.sends("form[action$='/value'] button");
            person.sees("nothing rests");
        }),
        by_api: ("POST /api/v1/host-keys/mock-a/value", &|| {
            person.stores("sk-good")
        }),
        model: "gpt-test",
    });
    person.stumbles(&Stumble {
        at: (POOL, "the host limits its key, and does so no more"),
        breaks: &|| is_busy.store(true, Ordering::Relaxed),
        asks: &|| person.asks("gpt-test"),
        told: (503, "no_healthy_keys"),
        by_hand: ("Host keys, mock-a: open, rate limit; End its rest", &|| {
            is_busy.store(false, Ordering::Relaxed);
            person.goes_to("/host-keys", "/host-keys/mock-a");
            person.sees("rate_limit");
            person.browser.sends("form[action$='/reset'] button");
            person.sees("nothing rests");
        }),
        by_api: ("POST /api/v1/host-keys/mock-a/reset", &|| {
            is_busy.store(false, Ordering::Relaxed);
            person.api("POST /api/v1/host-keys/mock-a/reset", &json!({}));
        }),
        model: "gpt-test",
    });
}

/// "The binding's adapter likely doesn't match"; it is set per binding, so the other way round as well.
fn adapters(person: &Person<'_>) {
    for (model, host, right, wrong) in [
        ("gpt-test", "mock", "anthropic", "openai"),
        ("chatty", "chat", "openai", "anthropic"),
    ] {
        let row = format!("bindings/{model}-{host}");
        person.stumbles(&Stumble {
            at: (
                ADAPTER,
                &format!("the host speaks {right}, the binding says {wrong}"),
            ),
            breaks: &|| person.puts(&row, &bound(model, host, wrong)),
            asks: &|| {
                let told = person.asks(model);
                let is_told = told.header("x-relay-error") != "adapter_mismatch"
                    || told.body.contains(wrong) && told.body.contains(right);
                assert!(is_told, "{}", told.body);
                told
            },
            told: (502, "adapter_mismatch"),
            by_hand: (&format!("Bindings, {model}-{host}, Adapter"), &|| {
                person.goes_to("/bindings", &format!("/{row}"));
                person.browser.chooses("#f-adapter", right);
                person.saves();
            }),
            by_api: (&format!("PUT /api/v1/{row}"), &|| {
                person.puts(&row, &bound(model, host, right));
            }),
            model,
        });
    }
}
