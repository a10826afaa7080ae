// @ts-check
/* Compare two takes or versions with a wipe. */
const pictures = found =>
  found.takes
    .flatMap((take, t) =>
      take.versions.map((version, v) => ({
        take: t,
        version: v,
        file: version.files[0],
        label:
          (found.takes.length > 1 ? "Take " + take.n : "") +
          (take.versions.length > 1 ? (found.takes.length > 1 ? ", v" : "Version ") + version.v : "") +
          (take.model ? ", " + take.model : ""),
      })),
    )
    .filter(p => (p.file.type === "image" || p.file.type === "video") && p.file.src);
const comparable = found => pictures(found).length > 1;
function compare() {
  if (view.compare) {
    view.compare = null;
    render();
    return;
  }
  const found = data(view.article),
    all = pictures(found);
  if (all.length < 2) return;
  const at = Math.max(
    0,
    all.findIndex(p => p.take === view.take && p.version === view.version),
  );
  const older = all.findIndex(p => p.take === view.take && p.version === view.version - 1);
  const pick = all.findIndex((p, i) => i !== at && found.takes[p.take].choice === "pick");
  const other = [older, pick].find(index => index >= 0);
  view.compare = {a: at, b: other === undefined ? (at + 1) % all.length : other, wipe: 50};
  render();
  $(".stage input", viewer).focus();
}
function wiping(found) {
  const {article, compare: now} = view,
    all = pictures(found),
    a = all[now.a],
    b = all[now.b];
  const left = medium(article, a.file, {player: false, muted: true}),
    right = medium(article, b.file, {player: false, muted: true});
  const stage = h(
    "div",
    {class: "stage"},
    h("div", {class: "layer"}, left),
    h("div", {class: "layer over"}, right),
    h("div", {class: "wipe"}),
  );
  const range = h("input", {
    type: "range",
    min: "0",
    max: "100",
    step: "0.5",
    value: String(now.wipe),
    "data-key": "wipe",
    "aria-label": `Wipe between ${a.label} and ${b.label}`,
    oninput: e => set(Number(e.target.value)),
  });
  const set = value => {
    now.wipe = value;
    stage.style.setProperty("--wipe", value + "%");
  };
  stage.append(range);
  for (const [side, key] of [
    ["a", "a"],
    ["b", "b"],
  ]) {
    stage.append(
      h(
        "select",
        {
          class: "tag " + side,
          "data-key": "side" + side,
          "aria-label": side === "a" ? "Left" : "Right",
          onchange: e => {
            now[key] = Number(e.target.value);
            render();
          },
        },
        all.map((p, i) => h("option", {value: String(i), selected: i === now[key]}, p.label)),
      ),
    );
  }
  set(now.wipe);
  const clips = [left, right].filter(m => m.tagName === "VIDEO");
  for (const clip of clips) clip.play().catch(() => {});
  if (clips.length === 2)
    left.addEventListener("timeupdate", () => {
      if (Math.abs(left.currentTime - right.currentTime) > 0.12 && right.duration)
        right.currentTime = left.currentTime % right.duration;
    });
  return stage;
}
