//! PostgreSQL and Valkey, both real, by TLS: whom a relay believes, and what it says where it believes nobody.

use super::missing::Missing;
use super::missing::trials;
use super::postgres::Server;
use super::support::relay::World;
use super::support::wait;
use super::valkey::Valkey;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use libtest_mimic::Trial;
use std::fs;
use std::path::Path;

pub(crate) fn all() -> Vec<Trial> {
    trials![
        a_postgresql_is_believed_by_its_authority_and_its_name,
        a_valkey_is_believed_by_its_authority_and_its_name
    ]
}

const ECHO: &str = "[[rule]]\nany = true\n[[rule.step]]\necho = true\n";
/// The authority of the host's certificate, which is for 127.0.0.1 and localhost.
const AUTHORITY: &str = include_str!("../it/support/keys/root.pem");
const CHAIN: &[u8] = include_bytes!("../it/support/keys/host.der");
const KEY: &[u8] = include_bytes!("../it/support/keys/host.pk8");
/// A certificate that vouches for nobody else.
const OTHER: &str = include_str!("../it/support/keys/client.pem");

fn pem(kind: &str, bytes: &[u8]) -> String {
    let text = STANDARD.encode(bytes);
    let lines: Vec<&str> = text
        .as_bytes()
        .chunks(64)
        .filter_map(|line| std::str::from_utf8(line).ok())
        .collect();
    format!(
        "-----BEGIN {kind}-----\n{}\n-----END {kind}-----\n",
        lines.join("\n")
    )
}

fn world(sections: &str) -> World {
    let world = World::scripted(ECHO)
        .pool("idle = 1\nmax = 1")
        .sections(sections);
    fs::write(world.path("ca.pem"), AUTHORITY).expect("a file must be written");
    fs::write(world.path("other.pem"), certificate(OTHER)).expect("a file must be written");
    fs::write(world.path("none.pem"), "no certificate").expect("a file must be written");
    world
}

/// The file has a key in it as well.
fn certificate(text: &str) -> &str {
    let end = "-----END CERTIFICATE-----\n";
    let from = text.find("-----BEGIN CERTIFICATE").unwrap_or_default();
    let to = text[from..]
        .find(end)
        .map_or(text.len(), |to| from + to + end.len());
    &text[from..to]
}

/// Each address is refused in one line with these words.
fn refused(section: impl Fn(&Path) -> String, words: &[&str]) {
    let world = world("");
    let folder = world.path("");
    let world = world.sections(&section(&folder));
    let refusal = world.refusal(&[]);
    assert_eq!(refusal.code, Some(2), "{}", refusal.words);
    let line = refusal
        .words
        .lines()
        .find(|line| line.starts_with("error:"));
    let line = line.unwrap_or_default();
    for word in words {
        assert!(line.contains(word), "{word}: {}", refusal.words);
    }
}

fn a_postgresql_is_believed_by_its_authority_and_its_name() -> Result<(), Missing> {
    let server = Server::start_private(&pem("CERTIFICATE", CHAIN), &pem("PRIVATE KEY", KEY))?;
    let at =
        |host: &str, query: &str| format!("[store]\nurl = \"{}\"\n", server.url_at(host, query));
    let by = |mode: &str, folder: &Path, name: &str| {
        let path = folder.join(name);
        format!("?sslmode={mode}&sslrootcert={}", path.display())
    };
    let good = world("");
    let query = by("verify-full", &good.path(""), "ca.pem");
    let relay = good.sections(&at("localhost", &query)).start();
    assert_eq!(relay.ask("hello").status, 200);
    let private = "SELECT count(*) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) \
                   WHERE application_name = 'inference-relay' AND ssl";
    wait::until("connections with TLS", || {
        (server.asks(private).parse::<u32>().ok()? >= 4).then_some(())
    });
    let plain = private.replace("AND ssl", "AND NOT ssl");
    assert_eq!(server.asks(&plain), "0");
    wait::until("the call in the store", || {
        (server.asks("SELECT count(*) FROM usage_records") == "1").then_some(())
    });
    let nobody = "nobody who is trusted here has signed its certificate";
    refused(
        |_| at("localhost", "?sslmode=require"),
        &[nobody, "sslrootcert="],
    );
    refused(
        |folder| at("localhost", &by("verify-full", folder, "other.pem")),
        &[nobody],
    );
    refused(
        |folder| at("127.0.0.2", &by("require", folder, "ca.pem")),
        &[
            "its certificate is for",
            "and not for 127.0.0.2",
            "call the server by a name",
        ],
    );
    refused(
        |folder| at("localhost", &by("verify-full", folder, "none.pem")),
        &["none.pem cannot be read as PEM"],
    );
    let open = Server::start()?;
    let query = "?sslmode=require";
    refused(
        |_| format!("[store]\nurl = \"{}\"\n", open.url_at("localhost", query)),
        &["does not support TLS"],
    );
    Ok(())
}

fn a_valkey_is_believed_by_its_authority_and_its_name() -> Result<(), Missing> {
    let folder = world("");
    let (chain, key) = (folder.path("host.pem"), folder.path("host.key"));
    fs::write(&chain, pem("CERTIFICATE", CHAIN)).expect("a certificate must be written");
    fs::write(&key, pem("PRIVATE KEY", KEY)).expect("a key must be written");
    let valkey = Valkey::start_private(&chain, &key)?;
    let at = |host: &str, folder: &Path, name: &str| {
        let (port, path) = (valkey.private_port(), folder.join(name));
        format!(
            "[state]\nurl = \"rediss://{host}:{port}/0?ssl_ca_certs={}\"\n",
            path.display()
        )
    };
    let good = world("");
    let section = at("localhost", &good.path(""), "ca.pem");
    let relay = good.sections(&section).start();
    wait::until("the Valkey", || {
        (relay.get("/healthz")["state"]["state"] == "ready").then_some(())
    });
    assert_eq!(relay.ask("hello").status, 200);
    let place = format!("rediss://localhost:{}", valkey.private_port());
    assert!(relay.log().contains(&place), "{}", relay.log());
    let nobody = "nobody who is trusted here has signed its certificate";
    refused(
        |folder| at("localhost", folder, "other.pem"),
        &[nobody, "ssl_ca_certs="],
    );
    refused(
        |folder| at("127.0.0.2", folder, "ca.pem"),
        &["its certificate is for", "and not for 127.0.0.2"],
    );
    // One bad certificate of the machine spoils neither the machine's others nor a file that is named.
    let bad = "-----BEGIN CERTIFICATE-----\nbm8gY2VydGlmaWNhdGU=\n-----END CERTIFICATE-----\n";
    for query in ["", "?ssl_ca_certs=CA"] {
        let spoilt = world("");
        let (ca, all) = (spoilt.path("ca.pem"), spoilt.path("all.pem"));
        fs::write(&all, format!("{bad}{AUTHORITY}{bad}")).expect("a file must be written");
        let query = query.replace("CA", &ca.to_string_lossy());
        let relay = spoilt
            .env("SSL_CERT_FILE", &all.to_string_lossy())
            .sections(&format!("[state]\nurl = \"{place}/0{query}\"\n"))
            .start();
        wait::until("the Valkey", || {
            (relay.get("/healthz")["state"]["state"] == "ready").then_some(())
        });
    }
    refused(
        |folder| at("localhost", folder, "gone.pem"),
        &["gone.pem cannot be read as PEM", "ssl_ca_certs must name"],
    );
    refused(
        |folder| at("localhost", folder, "none.pem"),
        &["none.pem cannot be read as PEM"],
    );
    Ok(())
}
