// How the page looks. Every colour is a variable with a value for light and one for dark.
#pragma once
#include <string_view>

namespace mesagrad::lesson {

inline constexpr std::string_view page_style = R"css(
:root {
  --paper: #fff; --ink: #1c1e21; --soft: #5f6670; --line: #dfe2e6; --shade: #f6f7f8;
  --good: #00754f; --bad: #b83a00;
  --keyword: #0b5fa5; --string: #8a4b00; --number: #8b3a80; --comment: #667078;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #17191d; --ink: #e2e4e8; --soft: #9aa1ab; --line: #33373e; --shade: #1f2227;
    --good: #35c99a; --bad: #ff8a4d;
    --keyword: #74b9f0; --string: #e8b66b; --number: #dd9ad2; --comment: #8d96a0;
  }
}
* { box-sizing: border-box }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 17px/1.6 system-ui, "Helvetica Neue", "DejaVu Sans", sans-serif }
main { max-width: 980px; margin: 0 auto; padding: 40px 20px 80px }
h1 { font-size: 1.9em; line-height: 1.2; margin: 0 0 .4em }
h3 { font-size: 1.08em; margin: 2em 0 .6em }
h2 { font-size: 1.25em; margin: 2.4em 0 .6em; padding-bottom: .25em;
  border-bottom: 1px solid var(--line) }
p { margin: 0 0 1em; max-width: 42em }
.box { background: var(--shade); border: 1px solid var(--line); border-radius: 8px; padding: 1em 1.2em .4em;
  margin-bottom: 2em }
.question { font-size: 1.15em }
.said { border-left: 3px solid var(--good); padding-left: .8em }
.claim { margin-bottom: .4em }
a { color: var(--keyword) }
sub, sup { font-size: .75em; line-height: 0 }
details { margin: 0 0 1.4em }
summary { color: var(--soft); cursor: pointer; margin-bottom: .6em }
li { margin-bottom: 1em }
.facts { color: var(--soft); font-size: .9em }
.holds { color: var(--good); font-weight: 700 }
.fails { color: var(--bad); font-weight: 700 }
.wide { overflow-x: auto }
table { border-collapse: collapse; width: 100%; font-size: .9em; line-height: 1.4 }
caption { text-align: left; font-weight: 600; padding-bottom: .4em }
th, td { text-align: right; padding: .45em 0 .45em 1.2em; border-bottom: 1px solid var(--line);
  font-variant-numeric: tabular-nums; white-space: nowrap }
th { color: var(--soft); font-weight: 500 }
th:first-child, td:first-child { text-align: left; padding-left: 0; white-space: normal;
  min-width: 12em }
figure { margin: 1.6em 0 2.4em }
figure svg { display: block; width: 100%; min-width: 540px; height: auto }
figcaption { color: var(--soft); font-size: .9em; line-height: 1.5; margin-top: .5em }
figcaption b { color: var(--ink); font-weight: 600 }
dl { display: flex; flex-wrap: wrap; gap: .3em 2em; margin: 0; font-size: .9em }
dl div { display: flex; gap: .6em }
dt { color: var(--soft) }
dd { margin: 0; font-variant-numeric: tabular-nums }
code, pre { font-family: ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace }
code { font-size: .88em; background: var(--shade); padding: .1em .3em; border-radius: 3px }
pre { overflow-x: auto; line-height: 1.5; margin: 0 0 1.4em }
pre.shaped { font-size: .95em; padding-left: 2em }
pre.code { font-size: 12.5px; background: var(--shade); border: 1px solid var(--line);
  border-radius: 6px; padding: .8em .9em .8em 0; tab-size: 2 }
pre.code b { display: inline-block; width: 3em; margin-right: 1.2em; text-align: right;
  color: var(--soft); opacity: .6; font-weight: 400; user-select: none }
pre.code i { font-style: normal }
i.k { color: var(--keyword) }
i.s { color: var(--string) }
i.n { color: var(--number) }
i.c { color: var(--comment) }
@media (max-width: 600px) {
  body { font-size: 16px }
  main { padding: 20px 14px 60px }
  pre { white-space: pre-wrap; overflow-wrap: anywhere }
  pre.shaped { padding-left: 0 }
  pre.code b { width: 2em; margin-right: .6em }
  th, td { padding-left: .6em }
  th:first-child, td:first-child { min-width: 7em }
}
@media print {
  :root { --paper: #fff; --ink: #000; --soft: #444; --shade: #fff }
  main { max-width: none; padding: 0 }
  nav { display: none }
  pre { white-space: pre-wrap }
  pre.code { font-size: 10px }
  figure, pre.code { break-inside: avoid }
}
)css";

}  // namespace mesagrad::lesson
