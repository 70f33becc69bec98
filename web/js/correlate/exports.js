// The same answer elsewhere: as files, as a command for a shell, as Python.

import { asSent, questionUrl } from "../api.js";
import { button, el, icon, iconButton, ICONS, menu } from "../dom.js";

const FILES = [["CSV", "csv", "csv", "a line a range and series"], ["NumPy array", "npy", "npy", "ranges × series"], ["NumPy, with ids", "npz", "npz", "r, n, series_id"], ["Arrow stream", "arrow", "arrows", "pandas, polars, DuckDB"], ["JSON", "json", "json", null]];

/// `question()` is what is on the page now, or `null`.
export function exportMenu(question) {
  return menu("Download", () => {
    const asked = question();
    if (!asked) return [];
    return [
      ...FILES.map(([text, format, ending, note]) => ({ text, note, href: questionUrl("correlate", asked, format), download: `correlation.${ending}` })),
      null,
      { text: "As curl", press: () => paper("As curl", curl(asked)) },
      { text: "As Python", press: () => paper("As Python", python(asked)) },
    ];
  }, { button: { id: "export" } }, icon(ICONS.down), el("span", {}, "Export"));
}

/// For a POSIX shell: within single quotes only they themselves mean something.
export function curl(question) {
  const json = JSON.stringify(asSent(question), null, 2).replaceAll("'", "'\\''");
  return `curl -s ${location.origin}/api/v1/correlate -H 'Content-Type: application/json' -d '${json}'`;
}

/// JSON's texts, numbers and lists are Python's too.
export function python(question) {
  return `import json, urllib.request
import pandas

question = ${JSON.stringify(asSent(question), null, 4)}

request = urllib.request.Request(
    "${location.origin}/api/v1/correlate",
    json.dumps(question).encode(),
    {"Content-Type": "application/json"},
)
answer = json.load(urllib.request.urlopen(request))
frame = pandas.concat(
    {f"{part['from']}..{part['to']}": pandas.json_normalize(part["results"]) for part in answer["ranges"]},
    names=["range"],
)
print(frame)
`;
}

function paper(title, text) {
  const copied = button("Copy", async () => {
    try {
      await navigator.clipboard.writeText(text);
      copied.textContent = "Copied";
    } catch {
      // Without the right to the clipboard, what is selected can be copied by hand.
      getSelection().selectAllChildren(code);
      copied.textContent = "Selected";
    }
  }, { class: "button primary" });
  const code = el("pre", { tabindex: "0" }, el("code", {}, text));
  const dialog = el("dialog", { class: "paper", "aria-label": title, on: { close: () => dialog.remove(), click: (event) => { if (event.target === dialog) dialog.close(); } } },
    el("header", {}, el("h2", {}, title), el("div", { class: "end" }, copied, iconButton("Close", ICONS.close, () => dialog.close()))), code);
  document.body.append(dialog);
  dialog.showModal();
}
