//! Decides which topic names and topic filters are well formed and which filter matches which topic
//! (MQTT 3.1.1, section 4.7).

/// Whether `topic` may be published to: not empty, no wildcards, no U+0000 (4.7.1, 4.7.3).
pub fn is_valid_topic(topic: &str) -> bool {
    !topic.is_empty() && !topic.contains(['+', '#', '\0'])
}

/// Whether `filter` may be subscribed to: `#` alone on the last level, `+` alone on its level (4.7.1).
pub fn is_valid_filter(filter: &str) -> bool {
    if filter.is_empty() || filter.contains('\0') {
        return false;
    }
    let mut levels = filter.split('/').peekable();
    while let Some(level) = levels.next() {
        let last = levels.peek().is_none();
        let valid = match level {
            "#" => last,
            "+" => true,
            other => !other.contains(['+', '#']),
        };
        if !valid {
            return false;
        }
    }
    true
}

/// Whether a valid `filter` matches a valid `topic`.
///
/// A filter that starts with a wildcard matches no topic that starts with `$` (4.7.2).
pub fn matches(filter: &str, topic: &str) -> bool {
    if topic.starts_with('$') && filter.starts_with(['+', '#']) {
        return false;
    }
    let mut levels = topic.split('/');
    for wanted in filter.split('/') {
        if wanted == "#" {
            // Also the parent level itself: "sport/#" matches "sport" (4.7.1.2).
            return true;
        }
        match levels.next() {
            Some(level) if wanted == "+" || wanted == level => {}
            _ => return false,
        }
    }
    levels.next().is_none()
}

/// What every topic begins with that a valid `filter` matches.
pub(crate) fn beginning(filter: &str) -> &str {
    let literal = filter.split(['+', '#']).next().unwrap_or_default();
    if literal.len() == filter.len() {
        return filter;
    }
    // "sport/#" matches "sport" too (4.7.1.2).
    literal.strip_suffix('/').unwrap_or(literal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_match_as_in_the_examples_of_the_standard() {
        // Filter, topic, and what sections 4.7.1.2, 4.7.1.3 and 4.7.2 say of them.
        let cases = [
            ("sport/tennis/player1/#", "sport/tennis/player1", true),
            (
                "sport/tennis/player1/#",
                "sport/tennis/player1/ranking",
                true,
            ),
            (
                "sport/tennis/player1/#",
                "sport/tennis/player1/score/wimbledon",
                true,
            ),
            ("sport/tennis/player1/#", "sport/tennis/player10", false),
            ("sport/#", "sport", true),
            ("#", "sport/tennis", true),
            ("sport/tennis/+", "sport/tennis/player1", true),
            ("sport/tennis/+", "sport/tennis/player1/ranking", false),
            ("sport/+", "sport", false),
            ("sport/+", "sport/", true),
            ("+/+", "/finance", true),
            ("/+", "/finance", true),
            ("+", "/finance", false),
            ("#", "$SYS/monitor/Clients", false),
            ("+/monitor/Clients", "$SYS/monitor/Clients", false),
            ("$SYS/#", "$SYS/monitor/Clients", true),
            ("$SYS/monitor/+", "$SYS/monitor/Clients", true),
            ("ACCOUNTS", "Accounts", false),
            ("casa/ñandú", "casa/ñandú", true),
            ("+", "ñ", true),
        ];
        for (filter, topic, expected) in cases {
            assert_eq!(matches(filter, topic), expected, "{filter} against {topic}");
            assert!(
                !expected || topic.starts_with(beginning(filter)),
                "{filter} {topic}"
            );
        }
        let beginnings = [
            ("a/b", "a/b"),
            ("a/", "a/"),
            ("a/#", "a"),
            ("a//#", "a/"),
            ("a/+/c", "a"),
            ("+/a", ""),
            ("/#", ""),
            ("#", ""),
        ];
        for (filter, expected) in beginnings {
            assert_eq!(beginning(filter), expected, "{filter}");
        }
    }

    #[test]
    fn wildcards_stand_alone_on_their_level() {
        for filter in [
            "#",
            "+",
            "sport/tennis/#",
            "+/tennis/#",
            "sport/+/player1",
            "/",
            "a//b",
            "ñ/#",
        ] {
            assert!(is_valid_filter(filter), "{filter}");
        }
        for filter in [
            "",
            "sport/tennis#",
            "sport/tennis/#/ranking",
            "sport+",
            "a/+b/c",
            "##",
            "a\0b",
        ] {
            assert!(!is_valid_filter(filter), "{filter}");
        }
        for topic in ["", "a/+", "#", "a\0"] {
            assert!(!is_valid_topic(topic), "{topic}");
        }
        assert!(is_valid_topic("/"));
    }
}
