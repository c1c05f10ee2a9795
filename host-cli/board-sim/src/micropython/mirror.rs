//! Which package source of this machine carries Debian's main archive, read from apt itself.
//!
//! `apt-get indextargets` lists every configured index in one format, whether it came from a one-line
//! `.list` or a deb822 `.sources` file, and without any list having been downloaded.

/// A Debian mirror as this machine is configured to use it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mirror {
    /// As it stands in the sources, such as `http://host/debian/` or `mirror+file:/…`.
    pub(super) uri: String,
    /// The value of `Signed-By`, of several lines if it is a key itself; empty if apt's own keyring counts.
    pub(super) signed_by: String,
    /// dpkg's name of the architecture, such as `amd64`.
    pub(super) architecture: String,
}

/// Finds the mirror in the output of `apt-get indextargets "Identifier: Packages"`. `codename` is this
/// system's own release, such as `bookworm`.
pub(super) fn choose(indextargets: &str, codename: &str) -> Option<Mirror> {
    stanzas(indextargets)
        .into_iter()
        .filter_map(|fields| rank(&fields, codename).map(|rank| (rank, fields)))
        .max_by_key(|(rank, _)| *rank)
        .map(|(_, fields)| Mirror {
            uri: get(&fields, "Repo-URI").to_string(),
            signed_by: get(&fields, "Signed-By").to_string(),
            architecture: get(&fields, "Architecture").to_string(),
        })
}

type Fields = Vec<(String, String)>;

fn get<'a>(fields: &'a Fields, name: &str) -> &'a str {
    fields
        .iter()
        .find(|(n, _)| n == name)
        .map_or("", |(_, value)| value)
}

/// Splits deb822 text into stanzas; a continuation line is joined to its value with a newline.
fn stanzas(text: &str) -> Vec<Fields> {
    let mut all = Vec::new();
    let mut fields = Fields::new();
    for line in text.lines().chain([""]) {
        if line.is_empty() {
            if !fields.is_empty() {
                all.push(std::mem::take(&mut fields));
            }
        } else if line.starts_with([' ', '\t']) {
            if let Some((_, value)) = fields.last_mut() {
                value.push('\n');
                value.push_str(line);
            }
        } else if let Some((name, value)) = line.split_once(':') {
            fields.push((name.to_string(), value.trim().to_string()));
        }
    }
    all
}

/// How surely this entry is Debian's main archive; None if it is not.
fn rank(fields: &Fields, codename: &str) -> Option<u32> {
    let uri = get(fields, "Repo-URI");
    let release = get(fields, "Release");
    if get(fields, "Component") != "main" || uri.is_empty() || uri.starts_with("cdrom:") {
        return None;
    }
    // Updates, backports and security carry a few packages only, and live beside the archive.
    if release.contains('-') || release.contains('/') || uri.contains("security") {
        return None;
    }
    let origin = get(fields, "Origin");
    let debian_key = get(fields, "Signed-By").contains("debian-archive-keyring");
    let debian_path = uri.trim_end_matches('/').ends_with("/debian");
    let mut rank = 0;
    match origin {
        "Debian" | "Raspbian" => rank += 8,
        // Nothing was downloaded yet: the key, the path and the release must tell.
        "" if debian_key || debian_path => rank += 1,
        _ => return None,
    }
    rank += u32::from(debian_key) * 4 + u32::from(debian_path) * 2;
    rank += u32::from(release == codename);
    Some(rank)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(uri: &str, release: &str, component: &str, origin: &str, signed_by: &str) -> String {
        let mut text = format!(
            "MetaKey: x\nArchitecture: amd64\nRelease: {release}\nRepo-URI: {uri}\nComponent: {component}\n"
        );
        if !origin.is_empty() {
            text += &format!("Origin: {origin}\n");
        }
        if !signed_by.is_empty() {
            text += &format!("Signed-By: {signed_by}\n");
        }
        text + "\n"
    }

    const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

    #[test]
    fn the_main_archive_wins_over_third_parties_and_side_suites() {
        let text = [
            entry(
                "https://example.org/pg/",
                "bookworm-pgdg",
                "main",
                "apt.postgresql.org",
                "",
            ),
            entry(
                "https://example.org/node/",
                "nodistro",
                "main",
                ". nodistro",
                "/k.gpg",
            ),
            entry(
                "http://m.example/debian-security/",
                "bookworm-security",
                "main",
                "Debian",
                KEYRING,
            ),
            entry(
                "http://m.example/debian/",
                "bookworm-updates",
                "main",
                "Debian",
                KEYRING,
            ),
            entry(
                "http://m.example/debian/",
                "bookworm",
                "contrib",
                "Debian",
                KEYRING,
            ),
            entry(
                "http://m.example/debian/",
                "bookworm",
                "main",
                "Debian",
                KEYRING,
            ),
        ]
        .concat();
        let mirror = choose(&text, "bookworm").unwrap();
        assert_eq!(mirror.uri, "http://m.example/debian/");
        assert_eq!(mirror.signed_by, KEYRING);
        assert_eq!(mirror.architecture, "amd64");
    }

    #[test]
    fn before_the_first_update_path_or_key_is_enough() {
        let fresh = entry("http://m.example/debian/", "bookworm", "main", "", "");
        assert!(choose(&fresh, "bookworm").is_some());
        let renamed = entry("http://cache.example/deb/", "trixie", "main", "", KEYRING);
        assert!(choose(&renamed, "trixie").is_some());
    }

    #[test]
    fn ubuntu_and_disks_are_no_debian_mirror() {
        let ubuntu = entry(
            "http://archive.example/ubuntu/",
            "noble",
            "main",
            "Ubuntu",
            "/u.gpg",
        );
        assert_eq!(choose(&ubuntu, "noble"), None);
        let disk = entry("cdrom:[Debian 12]/", "bookworm", "main", "Debian", "");
        assert_eq!(choose(&disk, "bookworm"), None);
        assert_eq!(choose("", "bookworm"), None);
    }

    #[test]
    fn a_key_inside_the_sources_keeps_its_lines() {
        let text = entry(
            "http://m.example/debian/",
            "trixie",
            "main",
            "",
            "\n -----BEGIN PGP\n .\n AAAA",
        );
        let mirror = choose(&text, "trixie").unwrap();
        assert_eq!(mirror.signed_by, "\n -----BEGIN PGP\n .\n AAAA");
    }
}
