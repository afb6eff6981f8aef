//! Files over HTTP: put there, told of, used in calls, forgotten.

use super::super::test_api::Reply;
use super::super::test_api::TestApi;
use super::super::test_api::hello;
use crate::turn::Block;
use serde_json::Value;
use serde_json::json;

const OPENAI: (&str, &str) = ("authorization", "Bearer x");
const ANTHROPIC: (&str, &str) = ("anthropic-version", "2023-06-01");

async fn upload(
    test_api: &TestApi,
    maker: (&str, &str),
    fields: &[(&str, &str)],
    name: &str,
    text: &str,
) -> Reply {
    let mut form = String::new();
    for (field, value) in fields {
        form.push_str(&format!(
            "--x\r\ncontent-disposition: form-data; name=\"{field}\"\r\n\r\n{value}\r\n"
        ));
    }
    form.push_str(&format!(
        "--x\r\ncontent-disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\r\n{text}\r\n--x--\r\n"
    ));
    let headers = [
        ("host", "localhost"),
        ("content-type", "multipart/form-data; boundary=x"),
        maker,
    ];
    test_api.with("POST", "/v1/files", &headers, &form).await
}

async fn get(test_api: &TestApi, method: &str, path: &str, maker: (&str, &str)) -> Reply {
    test_api
        .with(method, path, &[("host", "localhost"), maker], "")
        .await
}

const PURPOSE: &[(&str, &str)] = &[("purpose", "user_data")];

#[tokio::test]
async fn a_file_is_told_of_in_both_shapes_and_forgotten() {
    let test_api = TestApi::new();
    let openai = upload(&test_api, OPENAI, PURPOSE, "a.txt", "hello")
        .await
        .json();
    assert_eq!(
        (&openai["object"], &openai["bytes"], &openai["purpose"]),
        (&json!("file"), &json!(5), &json!("user_data"))
    );
    let id = openai["id"].as_str().expect("an id");
    let path = format!("/v1/files/{id}");
    let anthropic = get(&test_api, "GET", &path, ANTHROPIC).await.json();
    assert_eq!(
        (&anthropic["type"], &anthropic["mime_type"]),
        (&json!("file"), &json!("text/plain"))
    );
    assert!(
        anthropic["created_at"]
            .as_str()
            .is_some_and(|at| at.ends_with('Z'))
    );
    let content = get(&test_api, "GET", &format!("{path}/content"), OPENAI).await;
    assert_eq!(
        (
            content.text().as_str(),
            content.header("content-disposition").as_str()
        ),
        ("hello", "attachment")
    );
    let listed = get(&test_api, "GET", "/v1/files?purpose=user_data", OPENAI)
        .await
        .json();
    assert_eq!(listed["data"][0], openai);
    assert_eq!(
        get(&test_api, "GET", "/v1/files", ANTHROPIC).await.json()["data"][0],
        anthropic
    );
    let deleted = get(&test_api, "DELETE", &path, ANTHROPIC).await.json();
    assert_eq!(deleted, json!({"id": id, "type": "file_deleted"}));
    let gone = get(&test_api, "GET", &path, OPENAI).await;
    assert_eq!(
        (gone.status.as_u16(), gone.header("x-relay-error")),
        (404, "file_unknown".into())
    );
}

#[tokio::test]
async fn a_file_stands_in_a_call_by_its_bytes() {
    let test_api = TestApi::new().answering(hello());
    let text = upload(&test_api, OPENAI, PURPOSE, "a.txt", "hello")
        .await
        .json()["id"]
        .clone();
    let picture = upload(&test_api, ANTHROPIC, &[], "a.png", "pic")
        .await
        .json()["id"]
        .clone();
    let document = json!({"type": "text", "media_type": "text/plain", "data": "hello"});
    let chat = json!({"model": "m", "messages": [{"role": "user", "content": [{"type": "file", "file": {"file_id": text}}]}]});
    let responses = json!({"model": "m", "store": false, "input": [{"role": "user", "content": [
        {"type": "input_file", "file_id": text}, {"type": "input_image", "file_id": picture}]}]});
    let messages = json!({"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": [
        {"type": "document", "source": {"type": "file", "file_id": text}}]}]});
    for (path, body) in [
        ("/v1/chat/completions", chat),
        ("/v1/responses", responses),
        ("/v1/messages", messages),
    ] {
        let answer = test_api.post(path, &body.to_string()).await;
        assert_eq!(answer.status.as_u16(), 200, "{path}: {}", answer.text());
        let asked = test_api.asked().pop().expect("it was asked");
        let block = asked.messages[0].blocks[0]
            .json()
            .expect("a document")
            .clone();
        assert_eq!(
            (&block["source"], &block["title"]),
            (&document, &json!("a.txt")),
            "{path}"
        );
    }
    let wrong = json!({"model": "m", "input": [{"role": "user", "content": [{"type": "input_image", "file_id": text}]}]});
    let wrong = test_api.post("/v1/responses", &wrong.to_string()).await;
    assert_eq!(
        (wrong.status.as_u16(), wrong.header("x-relay-error")),
        (422, "file_unsupported".into())
    );
    assert_eq!(wrong.json()["error"]["param"], "file_id");
    assert!(matches!(
        test_api.asked()[1].messages[0].blocks[1],
        Block::Image(_)
    ));
}

#[tokio::test]
async fn a_file_that_nobody_has_is_said_to_be_unknown() {
    let test_api = TestApi::new();
    for id in ["file_0123456789abcdef0123456789abcdef", "file-abc"] {
        let body = json!({"model": "m", "input": [{"role": "user", "content": [{"type": "input_file", "file_id": id}]}]});
        let answer = test_api.post("/v1/responses", &body.to_string()).await;
        assert_eq!(
            (answer.status.as_u16(), answer.header("x-relay-error")),
            (404, "file_unknown".into()),
            "{id}"
        );
    }
}

#[tokio::test]
async fn what_is_no_upload_is_refused_with_its_reason() {
    let test_api = TestApi::new();
    let large = "x".repeat(2000);
    for (answer, status, code) in [
        (
            upload(&test_api, OPENAI, &[], "a.txt", "x").await,
            400,
            "invalid_request",
        ),
        (
            upload(&test_api, OPENAI, &[("purpose", "fun")], "a.txt", "x").await,
            400,
            "invalid_request",
        ),
        (
            upload(
                &test_api,
                ANTHROPIC,
                &[("expires_in_seconds", "1")],
                "a.txt",
                "x",
            )
            .await,
            400,
            "invalid_request",
        ),
        (
            upload(&test_api, OPENAI, PURPOSE, "a.txt", &large).await,
            413,
            "file_too_large",
        ),
        (
            test_api.post("/v1/files", "{}").await,
            415,
            "unsupported_media_type",
        ),
    ] {
        assert_eq!(
            (
                answer.status.as_u16(),
                answer.header("x-relay-error").as_str()
            ),
            (status, code),
            "{}",
            answer.text()
        );
    }
    let list: Value = get(&test_api, "GET", "/v1/files", OPENAI).await.json();
    assert_eq!(list["data"], json!([]));
    for _ in 0..2 {
        upload(&test_api, OPENAI, PURPOSE, "a.txt", &"x".repeat(900)).await;
    }
    let full = upload(&test_api, OPENAI, PURPOSE, "a.txt", &"x".repeat(900)).await;
    assert_eq!(
        (full.status.as_u16(), full.header("x-relay-error")),
        (413, "storage_full".into())
    );
}
