//! Rows of text under a header, each column as wide as its widest cell. `[pure]`

/// The lines of a table, the header first. The last column is not padded.
pub(crate) fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let mut widths: Vec<usize> = head.iter().map(|name| name.chars().count()).collect();
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let head: Vec<String> = head.iter().map(ToString::to_string).collect();
    let line = |cells: &Vec<String>| {
        let padded = cells
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:width$}"));
        let line = padded.collect::<Vec<_>>().join("  ");
        format!("{}\n", line.trim_end())
    };
    std::iter::once(&head).chain(rows).map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::table;

    #[test]
    fn every_column_begins_where_its_header_does() {
        let rows = [["a", "b"], ["longer", ""]].map(|row| row.map(str::to_owned).to_vec());
        assert_eq!(
            table(&["NAME", "STATE"], &rows),
            "NAME    STATE\na       b\nlonger\n"
        );
    }
}
