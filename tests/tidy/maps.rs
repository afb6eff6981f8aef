//! The maps are true: each room stands in both, each word of the glossary is in the code, each file on disk in the README.

use super::Source;
use super::files_in;
use super::rooms;

#[test]
fn each_room_stands_in_the_code_map_and_in_the_readme() {
    let (book, readme) = (text("src/lib.rs"), text("README.md"));
    for (room, _) in rooms() {
        let in_book = [format!("//! - [`{room}`]"), format!("//! - `{room}`")];
        assert!(
            in_book.iter().any(|line| book.contains(line)),
            "src/lib.rs does not tell of {room}"
        );
        let in_readme = [format!("\n  {room}/ "), format!("\n  {room}.rs ")];
        assert!(
            in_readme.iter().any(|line| readme.contains(line)),
            "README.md does not tell of {room}"
        );
    }
}

/// A word is in the code where a type, a function, a module, a field or a variant begins with it.
#[test]
fn each_word_of_the_glossary_is_a_word_of_the_code() {
    let book = text("src/lib.rs");
    let glossary = book
        .split("# Glossary")
        .nth(1)
        .and_then(|rest| rest.split("//! # ").next());
    let glossary = glossary.expect("src/lib.rs must have a glossary");
    let words: Vec<_> = glossary.split('*').skip(1).step_by(2).collect();
    assert!(words.len() > 30, "{words:?}");
    let code: Vec<_> = files_in("src/").iter().flat_map(declared).collect();
    for word in words {
        let (snake, camel) = (
            word.to_lowercase().replace(' ', "_"),
            word.replace(' ', "").to_lowercase(),
        );
        let is_there = code
            .iter()
            .any(|name| name.starts_with(&snake) || name.to_lowercase().contains(&camel));
        assert!(
            is_there,
            "the glossary tells of {word:?}, and nothing bears that name"
        );
    }
}

#[test]
fn the_readme_tells_of_each_file_that_is_left_in_the_state_folder() {
    let readme = text("README.md");
    let table = readme
        .split("## What is left on disk")
        .nth(1)
        .expect("the README must have the table");
    let code: String = files_in("src/")
        .into_iter()
        .map(|file| product(file.text))
        .collect();
    let names: Vec<_> = ["config.home.join(\"", "ground.home.value.join(\""]
        .iter()
        .flat_map(|call| code.split(call).skip(1))
        .filter_map(|rest| rest.split(['"', '/']).next())
        .collect();
    assert!(names.len() > 8, "{names:?}");
    for name in names {
        assert!(
            table.contains(&format!("{name}`")) || table.contains(&format!("{name}/`")),
            "the README does not tell of {name}"
        );
    }
}

fn text(path: &str) -> String {
    let file = files_in("").into_iter().find(|file| file.path == path);
    file.expect("it must be there").text
}

/// What ships of a file.
fn product(text: String) -> String {
    text.split("#[cfg(test)]")
        .next()
        .unwrap_or_default()
        .to_owned()
}

/// The names that a file declares, and the file's own.
fn declared(file: &Source) -> Vec<String> {
    const BEGINNINGS: &[&str] = &[
        "struct ", "enum ", "trait ", "type ", "fn ", "mod ", "const ",
    ];
    let begun = |line: &str| {
        let at = BEGINNINGS
            .iter()
            .find_map(|word| line.find(word).map(|at| at + word.len()))?;
        let end = line[at..].find(|c: char| !c.is_alphanumeric() && c != '_');
        Some(line[at..].split_at(end?).0.to_owned())
    };
    file.text.lines().filter_map(begun).collect()
}
