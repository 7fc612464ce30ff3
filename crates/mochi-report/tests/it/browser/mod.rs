//! Every page in a real browser: at the widths of a phone and of a desktop, light and dark.
//!
//! With `MOCHI_KEEP_SCREENSHOTS=DIR` the screenshots are kept there, to be looked at.

mod chromium;
mod pages;

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use chromium::{Chromium, Screen};

const SCREENS: [Screen; 4] = [
    Screen { width: 390, height: 844, dark: false },
    Screen { width: 390, height: 844, dark: true },
    Screen { width: 1280, height: 900, dark: false },
    Screen { width: 1280, height: 900, dark: true },
];

/// What a page is asked, with everything unfolded: how far it is wider than the screen, and which elements are; figures and images that are shown; whether the
/// background is dark; text of figures that leaves its figure; tables that have to be scrolled.
const LOOK: &str = r#"(() => {
    document.querySelectorAll('details').forEach(one => one.open = true);
    const width = document.documentElement.clientWidth;
    const box = one => one.getBoundingClientRect();
    const shown = one => box(one).width > 0 && box(one).height > 0;
    const name = one => one.tagName + '.' + one.getAttribute('class') + ' ' + one.textContent.slice(0, 40);
    const all = selector => [...document.querySelectorAll(selector)];
    const [red] = getComputedStyle(document.body).backgroundColor.match(/\d+/g).map(Number);
    return {
        overflow: document.documentElement.scrollWidth - width,
        wide: all('body *').filter(one => box(one).right > width + 1 && !one.closest('.neighbors, pre')).map(name).slice(0, 8),
        figures: all('svg').filter(shown).length,
        hidden: all('svg').filter(one => !shown(one)).length,
        broken: all('img').filter(one => !(one.complete && one.naturalWidth > 0)).length,
        cut: all('svg text').filter(one => box(one).right > width || box(one).left < 0).map(name).slice(0, 8),
        dark: red < 128,
    };
})()"#;

#[test]
fn slow_every_page_fits_phones_and_desktops_in_both_themes() {
    let Some(program) = chromium::installed() else {
        println!("skipped: slow_every_page_fits_phones_and_desktops_in_both_themes: no Chromium is installed");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let pages = pages::all(folder.path());
    let mut browser = Chromium::start(&program, &folder.path().join("profile"));
    let keep = std::env::var_os("MOCHI_KEEP_SCREENSHOTS");
    let mut problems = Vec::new();
    for page in &pages {
        for screen in SCREENS {
            let console = browser.open(&page.path, screen);
            let seen = browser.evaluate(LOOK);
            let number = |key: &str| seen[key].as_i64().unwrap();
            let none = |key: &str| seen[key].as_array().unwrap().is_empty();
            let good = console.is_empty()
                && number("overflow") <= 0
                && [none("wide"), none("cut")] == [true; 2]
                && number("figures") >= page.figures as i64
                && [number("hidden"), number("broken")] == [0; 2]
                && seen["dark"] == screen.dark;
            if !good {
                problems.push(format!("{} at {screen:?}: {seen} console: {console:?}", page.name));
            }
            if let Some(keep) = &keep {
                let theme = if screen.dark { "dark" } else { "light" };
                let file = Path::new(keep).join(format!("{}-{}-{theme}.png", page.name, screen.width));
                std::fs::write(file, STANDARD.decode(browser.screenshot()).unwrap()).unwrap();
            }
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn a_page_that_is_too_wide_is_noticed() {
    let Some(program) = chromium::installed() else {
        println!("skipped: a_page_that_is_too_wide_is_noticed: no Chromium is installed");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let page = folder.path().join("page.html");
    let html = "<meta name=viewport content='width=device-width'><body style='background:#fff'><div style='width:700px'>wide</div>\
                <svg width=0></svg><img src='data:,'><script>undefinedFunction()</script>";
    std::fs::write(&page, html).unwrap();
    let mut browser = Chromium::start(&program, &folder.path().join("profile"));
    let console = browser.open(&page, SCREENS[0]);
    let seen = browser.evaluate(LOOK);
    assert!(console.iter().any(|line| line.contains("undefinedFunction")), "{console:?}");
    assert!(seen["overflow"].as_i64() > Some(200) && seen["wide"][0].as_str().unwrap().starts_with("DIV"), "{seen}");
    assert_eq!((seen["hidden"].as_i64(), seen["broken"].as_i64()), (Some(1), Some(1)), "{seen}");
}
