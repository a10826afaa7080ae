// @ts-check
/* The viewer's side: the decision, notes, the prompt, versions, and what can be made. */

function side(found, take, version, file) {
  const {article} = view;
  return h(
    "div",
    {class: "side"},
    take.versions.length && !settings.guest ? verdict(article, take) : null,
    take.state === "made" ? null : h("p", {class: "say " + take.state}, stateOf(take)),
    take.unmet ? h("p", {class: "say unmet"}, "Not as expected: " + take.unmet.join("\n")) : null,
    take.unjudged ? h("p", {class: "say"}, take.unjudged.join("\n")) : null,
    settings.guest ? null : noteBox(article, take),
    discussion(found, take, file),
    words(article, found, take, version),
    take.versions.length > 1 ? versionList(take) : null,
    version ? facts(version, file) : null,
    settings.run && take.state !== "orphan" ? actions(take) : null,
  );
}
function stateOf(take) {
  const more = take.message && take.state !== "open" ? take.message : "";
  const joint = take.state === "changed" ? ", " : ": ";
  return (settings.states[take.state] || "") + (more ? joint + more : "");
}

function verdict(article, take) {
  const act = (what, said) => async () => {
    if (await decide(article, take, what)) toast(said);
    if (view) render();
  };
  const picked = take.choice === "pick";
  const rejected = take.choice === "reject";
  const one = (key, on, label, onclick, more = {}) =>
    h(
      "button",
      {type: "button", class: key, "data-key": key, "aria-pressed": String(on), onclick, ...more},
      label,
    );
  return h(
    "div",
    {class: "verdict", role: "group", "aria-label": "Decision"},
    one(
      "pick",
      picked,
      picked ? "Picked" : "Pick",
      picked ? act({decision: "none"}, "Pick taken back") : act({decision: "pick"}, "Picked " + take.slot),
    ),
    one(
      "reject",
      rejected,
      rejected ? "Rejected" : "Reject",
      rejected ? act({decision: "none"}, "Taken back") : () => reject(article, take),
    ),
    one(
      "star",
      Boolean(take.star),
      take.star ? "★" : "☆",
      act({star: !take.star}, take.star ? "Star taken away" : "Starred"),
      {class: "stars", "aria-label": "Star"},
    ),
  );
}

function noteBox(article, take) {
  const saveByKey = event => {
    if (event.key === "Enter" && (event.metaKey || event.ctrlKey)) hit(event).blur();
  };
  return [
    h("h3", {}, h("label", {for: "note"}, "Note" + (take.author && take.note ? " by " + take.author : ""))),
    h(
      "textarea",
      {
        id: "note",
        "data-key": "note",
        "data-was": take.note || "",
        maxlength: "4000",
        rows: "2",
        onblur: event => keep(article, take, hit(event)),
        onkeydown: saveByKey,
      },
      take.note || "",
    ),
  ];
}

const piece = ([how, words]) => {
  const tag = {o: "del", n: "ins"}[how];
  return tag ? h(tag, {}, words) : words;
};
function words(article, found, take, version) {
  const prompt = version ? found.prompts[version.p - 1] : "";
  const asked = $(":scope > .prompt", article);
  const parts = [];
  if (version && prompt) {
    const shown = version.pieces ? version.pieces.map(piece) : prompt;
    parts.push(h("h3", {}, "Prompt"), h("p", {class: "prompt"}, shown));
  }
  if (take.state === "changed" && asked && $("ins, del", asked))
    parts.push(h("h3", {}, "The scene file asks for"), asked.cloneNode(true));
  if (!version && asked) {
    const number = take.asked || found.sent;
    const sent = number ? found.prompts[number - 1] : "";
    parts.push(h("h3", {}, "Prompt"), sent ? h("p", {class: "prompt"}, sent) : asked.cloneNode(true));
  }
  const raw = (version || take).raw;
  if (raw) parts.push(h("h3", {}, "As the author wrote it"), h("p", {class: "prompt"}, found.prompts[raw - 1]));
  if (version && version.changes)
    parts.push(
      h(
        "p",
        {class: "changes"},
        version.changes.map(change => [change, h("br")]),
      ),
    );
  return parts;
}

function versionList(take) {
  const choose = i => () => {
    Object.assign(view, {version: i, ...fresh});
    render();
  };
  const one = (version, i) =>
    h(
      "button",
      {
        type: "button",
        "data-key": "v" + i,
        "aria-current": i === view.version ? "true" : null,
        onclick: choose(i),
      },
      "Version " + version.v,
      h("span", {class: "when"}, version.at),
    );
  return [h("h3", {}, "Versions"), h("div", {class: "versions"}, take.versions.map(one).reverse())];
}

function facts(version, file) {
  const rows = [["Model", version.model]];
  if (file && file.w) rows.push(["Size", `${file.w} × ${file.h}`]);
  if (file && file.s) rows.push(["Length", file.s.toFixed(1) + " s"]);
  if (version.credits && version.credits !== "0") rows.push(["Credits", version.credits]);
  const link = file.src ? h("a", {href: file.src, target: "_blank", rel: "noopener"}, file.name) : file.name;
  rows.push(["Made", version.at], ["File", link]);
  return [
    h("h3", {}, "Made with"),
    h(
      "dl",
      {},
      rows.map(([key, value]) => [h("dt", {}, key), h("dd", {}, value)]),
    ),
  ];
}

function actions(take) {
  const ask = (label, kind) => button(label, () => server && server.propose({kind, slot: take.slot}));
  return h(
    "div",
    {class: "acts"},
    take.state === "failed" ? ask("Retry…", "retry") : null,
    take.state === "open" || take.state === "changed" ? ask("Make it…", "make") : null,
    take.versions.length ? ask("New version…", "again") : null,
    ask("Another take…", "another"),
    button("New prompt…", () => server && server.reword(take)),
    take.raw ? button("Enhanced prompt…", () => server && server.enhanced(take)) : null,
  );
}
