//! Which servers `--mcp-config` names.

use serde_json::Value;

use crate::http::Url;

/// One server of type http; other types are not spoken here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Server {
    pub(crate) name: String,
    pub(crate) url: Url,
    pub(crate) headers: Vec<(String, String)>,
}

impl Server {
    /// The servers of one `--mcp-config`, which is JSON or a file of it.
    pub(crate) fn read(given: &str) -> Result<Vec<Server>, String> {
        let text = match given.trim_start().starts_with('{') {
            true => given.to_owned(),
            false => std::fs::read_to_string(given).map_err(|_| {
                format!(
                    "Error: Invalid MCP configuration:\nMCP config file not found: {}",
                    absolute(given)
                )
            })?,
        };
        let whole: Value = serde_json::from_str(&text)
            .map_err(|_| "Error: Invalid MCP configuration:\nInvalid JSON".to_owned())?;
        Ok(Server::named(&whole["mcpServers"]))
    }

    /// Those of an object that names them.
    pub(crate) fn named(servers: &Value) -> Vec<Server> {
        let named = servers.as_object().into_iter().flatten();
        named
            .filter_map(|(name, value)| Server::of(name, value))
            .collect()
    }

    fn of(name: &str, value: &Value) -> Option<Server> {
        let headers = value["headers"].as_object().into_iter().flatten();
        Some(Server {
            name: name.to_owned(),
            url: Url::parse(value["url"].as_str()?)?,
            headers: headers
                .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
                .collect(),
        })
    }
}

fn absolute(path: &str) -> String {
    let whole = std::env::current_dir().unwrap_or_default().join(path);
    whole.to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_read_with_its_headers() {
        let given = r#"{"mcpServers":{"relay":{"type":"http","url":"http://127.0.0.1:9/mcp","headers":{"x-key":"k"},"alwaysLoad":true}}}"#;
        let servers = Server::read(given).expect("this configuration is well formed");
        assert_eq!(servers[0].name, "relay");
        assert_eq!(servers[0].url.path, "/mcp");
        assert_eq!(servers[0].headers, [("x-key".to_owned(), "k".to_owned())]);
    }

    #[test]
    fn a_file_that_is_not_there_is_an_error() {
        assert!(Server::read("/nowhere/mcp.json").is_err());
    }
}
