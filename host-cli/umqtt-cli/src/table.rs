//! Decides how rows of words become a table for people: columns as wide as their widest word, two blanks between them.

use unicode_width::UnicodeWidthStr;

/// The table, each row ended by a newline and without blanks before it. Rows may have different lengths.
pub fn table<const N: usize>(rows: &[[String; N]]) -> String {
    let mut widths = [0; N];
    for row in rows {
        for (width, word) in widths.iter_mut().zip(row) {
            *width = (*width).max(word.width());
        }
    }
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (word, width) in row.iter().zip(widths) {
            line.push_str(word);
            line.push_str(&" ".repeat(width - word.width() + 2));
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_they_look() {
        let row = |words: [&str; 3]| words.map(str::to_owned);
        let rows = [
            row(["a", "ñandú", ""]),
            row(["long", "b", "c"]),
            row(["", "漢", "d"]),
        ];
        assert_eq!(
            table(&rows),
            "a     ñandú\nlong  b      c\n      漢     d\n"
        );
        assert_eq!(table::<2>(&[]), "");
    }
}
