//! What is embedded: the page, if it was built, and the examples; nothing else of this computer can be asked for.

include!(concat!(env!("OUT_DIR"), "/embedded.rs"));

/// A file of the page: its type and content. `path` is what stands behind the address, without the first slash.
pub fn page(path: &str) -> Option<(&'static str, &'static [u8])> {
    let path = if path.is_empty() { "index.html" } else { path };
    let (name, content) = PAGE.iter().find(|(name, _)| *name == path)?;
    Some((media_type(name), content))
}

/// Whether the page was built before this command was.
pub fn page_is_built() -> bool {
    page("").is_some()
}

fn media_type(name: &str) -> &'static str {
    match name.rsplit_once('.').map_or("", |(_, ending)| ending) {
        "html" => "text/html; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "svg" => "image/svg+xml",
        "json" | "map" => "application/json",
        "png" => "image/png",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        "txt" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

/// What is served in the page's place until it is built.
pub const NO_PAGE: &str = r#"<!doctype html>
<html lang="es">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>umqtt lab</title>
<style>body { font: 1.1rem/1.5 system-ui, sans-serif; max-width: 40rem; margin: 3rem auto; padding: 0 1rem }</style>
<main>
<h1>La página del laboratorio no está compilada</h1>
<p>Este <code>umqtt</code> se compiló sin ella. Hazlo una vez, con Node.js 18 o posterior, y arráncalo de nuevo:</p>
<pre><code>cargo xtask page
cargo run --release -- lab</code></pre>
<section lang="en">
<h1>The laboratory's page is not built</h1>
<p>This <code>umqtt</code> was built without it. Build it once, with Node.js 18 or later, and start again:</p>
<pre><code>cargo xtask page
cargo run --release -- lab</code></pre>
</section>
</main>
</html>
"#;
