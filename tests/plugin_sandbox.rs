//! Plugins that go wrong: their whole messages; and what a plugin cannot reach.

use crate::support::debian::debian;
use crate::support::plugins::{edits, faults, registry, without_directory};

const PROJECT: &str = "global {\n  project p\n  odd {\n    key value\n  }\n}\nhost a { template t }\n";

const DESCRIBE: &str = "function describe() return { blocks = { { place = \"global\", name = \"odd\", keywords = { { \
                        name = \"key\", value = \"word\" } } } } } end\n";

/// What is said of the project with a plugin whose hook `post_parse` has this `body`.
fn hook(body: &str) -> String {
    faults(
        PROJECT,
        &[(
            "odd",
            &format!("{DESCRIBE}function post_parse(project)\n{body}\nend\n"),
        )],
    )
}

/// What is said when a plugin's hook `configure` has this `body`.
fn configure(body: &str) -> String {
    let text = format!("{DESCRIBE}function configure(host, guest)\n{body}\nend\n");
    edits(PROJECT, &[("odd", &text)], "a", &debian()).unwrap_err()
}

#[test]
fn a_loop_without_end_is_an_error_in_seconds() {
    insta::assert_snapshot!(hook("  local count = 0\n  while true do count = count + 1 end"), @r#"
error[plugin-failed]: plugin `odd` failed in `post_parse`: it took more than 200000000 steps: does a loop not end?
 --> odd.lua:4:3
  |
4 |   while true do count = count + 1 end
  |   ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
  |
 ::: p.mln:3:3
  |
3 |   odd {
  |   --- asked for here
"#);
    insta::assert_snapshot!(hook("  return (\"a\"):rep(3000):find((\".-\"):rep(20) .. \"b\")"), @r#"
error[plugin-failed]: plugin `odd` failed in `post_parse`: it took more than 200000000 steps: does a loop not end?
 --> odd.lua:3:3
  |
3 |   return ("a"):rep(3000):find((".-"):rep(20) .. "b")
  |   ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
  |
 ::: p.mln:3:3
  |
3 |   odd {
  |   --- asked for here
"#);
    insta::assert_snapshot!(configure("  while true do end"), @"plugin `odd` failed in `configure`: it took more than 200000000 steps: does a loop not end? (odd.lua:3), asked for by p.mln:3: odd {");
}

#[test]
fn a_plugin_that_eats_memory_is_stopped() {
    insta::assert_snapshot!(hook("  local all = {}\n  for place = 1, 1e9 do all[place] = place .. \"\" end"), @r#"
error[plugin-failed]: plugin `odd` failed in `post_parse`: it needs more than 64 MiB of memory
 --> p.mln:3:3
  |
3 |   odd {
  |   ^^^
"#);
    insta::assert_snapshot!(configure("  local text = (\"x\"):rep(10000000)\n  return (text .. text):rep(2)"), @r#"
plugin `odd` failed in `configure`: the text would be too long (odd.lua), asked for by p.mln:3: odd {
"#);
}

#[test]
fn a_plugin_that_writes_outside_the_guest_is_refused() {
    let shown: Vec<String> = [
        "\"/../../etc/passwd\"",
        "\"etc/passwd\"",
        "\"/etc\"",
        "\"/a\\0b\"",
    ]
    .map(|path| configure(&format!("  guest:write({path}, \"x\")")))
    .into();
    insta::assert_snapshot!(shown.join("\n").replace('\0', "<NUL>"), @r#"
plugin `odd` failed in `configure`: `/../../etc/passwd` has a `..` component (odd.lua:3), asked for by p.mln:3: odd {
plugin `odd` failed in `configure`: `etc/passwd` is not an absolute path (odd.lua:3), asked for by p.mln:3: odd {
plugin `odd` failed in `configure`: `/etc` is a directory in the guest (odd.lua:3), asked for by p.mln:3: odd {
plugin `odd` failed in `configure`: `/a<NUL>b` has a NUL byte (odd.lua:3), asked for by p.mln:3: odd {
"#);
}

#[test]
fn a_typing_error_in_a_plugin_is_told_with_its_line() {
    let wrong = |text: &str| without_directory(&registry(&[("odd", text)]).unwrap_err().to_string());
    let shown = [
        wrong("function describe()\n  return { help = }\nend\n"),
        wrong("function describe()\n  return { blocks = { { plaec = \"global\" } } }\nend\n"),
        wrong("post_parse = 1\n"),
        hook("  project:gte(\"/global\")"),
        hook("  project:get()"),
        hook("  project:set(\"/global\", 1)"),
        hook("  project:set(\"/host/a/memory\", \"1M\\nxen\")"),
    ];
    insta::assert_snapshot!(shown.join("\n"), @r#"
plugin `odd` failed in `its file`: unexpected symbol near '}' (odd.lua:2)
plugin `odd` failed in `describe`: `plaec` means nothing here: there are place, name, help, value, keywords (odd.lua)
plugin `odd` failed in `post_parse`: `post_parse` is no function (odd.lua)
error[plugin-failed]: plugin `odd` failed in `post_parse`: attempt to call a nil value (method 'gte')
 --> odd.lua:3:3
  |
3 |   project:gte("/global")
  |   ^^^^^^^^^^^^^^^^^^^^^^
  |
 ::: p.mln:3:3
  |
3 |   odd {
  |   --- asked for here


error[plugin-failed]: plugin `odd` failed in `post_parse`: bad argument #1: expected string or number
 --> odd.lua:3:3
  |
3 |   project:get()
  |   ^^^^^^^^^^^^^
  |
 ::: p.mln:3:3
  |
3 |   odd {
  |   --- asked for here


error[plugin-failed]: plugin `odd` failed in `post_parse`: `/global` is no path to write to: write `/host/NAME/KEYWORD`, `/global/KEYWORD` or the like
 --> odd.lua:3:3
  |
3 |   project:set("/global", 1)
  |   ^^^^^^^^^^^^^^^^^^^^^^^^^
  |
 ::: p.mln:3:3
  |
3 |   odd {
  |   --- asked for here


error[plugin-failed]: plugin `odd` failed in `post_parse`: "1M\nxen" cannot stand in a project: a word has no blanks and no control characters
 --> odd.lua:3:3
  |
3 |   project:set("/host/a/memory", "1M\nxen")
  |   ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
  |
 ::: p.mln:3:3
  |
3 |   odd {
  |   --- asked for here
"#);
}

#[test]
fn a_typing_error_in_a_plugins_block_is_found() {
    let text = PROJECT.replace("key value", "kye value");
    insta::assert_snapshot!(faults(&text, &[("odd", DESCRIBE)]), @r#"
warning[unknown-keyword]: `odd` has no keyword `kye`
 --> p.mln:4:5
  |
4 |     kye value
  |     ^^^
  |
  = hint: did you mean `key`?
"#);
}

#[test]
fn nothing_outside_can_be_reached() {
    let names = "io os debug package coroutine load loadfile dofile loadstring require collectgarbage print warn \
                 pcall xpcall next setmetatable getmetatable rawget rawset string.dump math.random matcher";
    for name in names.split_whitespace() {
        let body = match name.split_once('.') {
            Some((library, name)) => format!("  assert({library}.{name} == nil)"),
            None => format!("  assert({name} == nil)"),
        };
        assert_eq!(hook(&body), "", "{name}");
    }
}

#[test]
fn the_same_comes_out_whatever_the_addresses_and_seeds() {
    let body = "  local set = {}\n  for place = 1, 40 do set[\"key\" .. place] = place end\n  set[1], set[2.5], \
                set[true] = 1, 2, 3\n  local seen = {}\n  for key in pairs(set) do seen[#seen + 1] = tostring(key) \
                end\n  project:error(nil, table.concat(seen, \" \") .. tostring({}) .. \
                string.format(\"%s\", function() end))";
    let first = hook(body);
    assert!(first.contains("odd: true 1 2.5 key1 key10 key11"), "{first}");
    assert!(first.contains("key9tablefunction"), "{first}");
    assert_eq!(hook(body), first);
}

#[test]
fn patterns_are_those_of_lua() {
    let checks = [
        r#"("hello world"):find("o w") == 5"#,
        r#"select(2, ("hello"):find("l+")) == 4"#,
        r#"("key = value # c"):match("^(%w+)%s*=%s*(.-)%s*#") == "key""#,
        r#"select(2, ("key = value # c"):match("^(%w+)%s*=%s*(.-)%s*#")) == "value""#,
        r#"("abc"):gsub("%w", "%0%0") == "aabbcc""#,
        r#"select(2, ("abc"):gsub("", "-")) == 4"#,
        r#"("abc"):gsub("", "-") == "-a-b-c-""#,
        r#"("hello world"):gsub("o", {o = "0"}, 1) == "hell0 world""#,
        r#"("$name is"):gsub("%$(%w+)", function(name) return name:upper() end) == "NAME is""#,
        r#"("f(a(b)c)d"):match("%b()") == "(a(b)c)""#,
        r#"("THE (quick) fox"):find("%f[%a]%a+%f[%A]") == 1"#,
        r#"("x]y"):find("[]]") == 2"#,
        r#"("a-b"):find("[a-]", 2) == 2"#,
        r#"("aXb"):find("[^a-z]") == 2"#,
        r#"("abab"):match("(ab)%1") == "ab""#,
        r#"("abc"):match("()b()") == 2"#,
        r#"("a.b"):find(".", 1, true) == 2"#,
        r#"("abc"):find("c", -1) == 3"#,
        r#"("abc"):find("a", 5) == nil"#,
        r#"("  x "):match("^%s*(.-)%s*$") == "x""#,
        r#"("colour"):match("colou?r") == "colour""#,
    ];
    for check in checks {
        let body = format!("  if not ({check}) then project:error(nil, \"wrong\") end");
        assert_eq!(hook(&body), "", "{check}");
    }
    let body = "  local words = {}\n  for key, value in (\"a=1, b=2\"):gmatch(\"(%w+)=(%w+)\") do words[#words + 1] = \
                key .. value end\n  assert(table.concat(words) == \"a1b2\")";
    assert_eq!(hook(body), "");
    assert!(hook("  (\"a\"):find(\"[a\")").contains("malformed pattern (missing ']')"));
    assert!(hook("  (\"a\"):find(\"(a\")").contains("unfinished capture"));
}

#[test]
fn what_a_block_of_a_host_needs_may_be_inherited() {
    let describe = "function describe() return { blocks = { { place = \"host\", name = \"odd\", keywords = { \
                    { name = \"key\", value = \"word\", required = true, help = \"turns the lock\" }, \
                    { name = \"other\", value = \"word\" } } } } } end\n";
    let project = "global { project p }\nsuperclass keyed { template t\n odd { key k } }\n\
                   superclass bare { template t\n odd { other o } }\n\
                   host a { superclass keyed\n odd { other o } }\nhost b { superclass bare }\n";
    insta::assert_snapshot!(faults(project, &[("odd", describe)]), @r#"
error[missing-keyword]: `odd` needs the keyword `key`
 --> p.mln:5:2
  |
5 |  odd { other o } }
  |  ^^^
  |
  = hint: `key` turns the lock
"#);
}
