// @ts-check
/* What single keys do. */

let keysOff = Boolean(stored.get("kiebatch keys off"));
document.addEventListener("keydown", event => {
  const target = hit(event);
  const typing = /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName);
  if (event.key === "Escape" && typing && target.tagName === "TEXTAREA" && viewer.contains(target)) {
    event.preventDefault();
    target.blur();
    return;
  }
  if (event.ctrlKey || event.metaKey || event.altKey || sheet.open) return;
  const sliding = target.type === "range";
  if (typing && !playing.open && !(sliding && !event.key.startsWith("Arrow"))) return;
  if (keysOff && event.key.length === 1 && event.key !== " ") return;
  if (playing.open) inPlayer(event);
  else if (viewer.open) inViewer(event);
  else onPage(event);
});
function pressed(key) {
  const button = $(`[data-key="${key}"]`, viewer);
  if (button) button.click();
  return button;
}
function inViewer(event) {
  if (view.marking && onMark(event)) return;
  const done = () => event.preventDefault();
  const onMedia = /^(VIDEO|AUDIO)$/.test(hit(event).tagName);
  switch (event.key) {
    case "ArrowRight":
    case "j":
      if (onMedia && event.key !== "j") return;
      done();
      step(1);
      break;
    case "ArrowLeft":
    case "k":
      if (onMedia && event.key !== "k") return;
      done();
      step(-1);
      break;
    case "ArrowDown":
      if (onMedia) return;
      done();
      turn(view.take + 1);
      break;
    case "ArrowUp":
      if (onMedia) return;
      done();
      turn(view.take - 1);
      break;
    case "c":
      done();
      compare();
      break;
    case "p":
      done();
      pressed("pick");
      break;
    case "x":
      done();
      pressed("reject");
      break;
    case "s":
      done();
      pressed("star");
      break;
    case "n": {
      done();
      const box = $("#note", viewer) || $("#compose", viewer);
      if (box) {
        box.focus();
        box.setSelectionRange(box.value.length, box.value.length);
      }
      break;
    }
    case "v": {
      done();
      const take = data(view.article).takes[view.take],
        many = take.versions.length;
      if (many > 1) {
        Object.assign(view, {version: (view.version + many - 1) % many, ...fresh});
        render();
      }
      break;
    }
    case "m":
      done();
      pressed("mark");
      break;
    case "f":
      done();
      playFrom(view.article);
      break;
    case "?":
      done();
      help();
      break;
    case " ": {
      if (hit(event).closest("button, a, select") || onMedia) return;
      done();
      const clips = $$(".stage video, .stage audio", viewer);
      const stopped = clips.length && clips[0].paused;
      for (const clip of clips) {
        if (stopped) clip.play().catch(() => {});
        else clip.pause();
      }
      break;
    }
    default:
      if (/^[1-9]$/.test(event.key)) {
        done();
        turn(Number(event.key) - 1);
      }
  }
}
function onPage(event) {
  const here = focused() && focused().closest ? focused().closest("article[data-shot]") : null;
  const go = by => {
    const all = visible();
    const next = here
      ? all[all.indexOf(here) + by]
      : all.find(a => a.getBoundingClientRect().bottom > 160) || all[0];
    if (!next) return;
    event.preventDefault();
    next.focus({preventScroll: true});
    next.scrollIntoView({
      block: "nearest",
      behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth",
    });
  };
  switch (event.key) {
    case "ArrowRight":
    case "j":
      go(1);
      break;
    case "ArrowLeft":
    case "k":
      go(-1);
      break;
    case "Enter":
      if (here && focused() === here) {
        event.preventDefault();
        show(here);
      }
      break;
    case "/":
      event.preventDefault();
      $("#search").focus();
      break;
    case "?":
      event.preventDefault();
      help();
      break;
    case "f":
      event.preventDefault();
      playFrom(here);
      break;
    case "p":
    case "x":
    case "s": {
      if (!here || settings.guest) return;
      event.preventDefault();
      const take = shownTake(data(here));
      if (!take || !take.versions.length) return;
      if (event.key === "x" && take.choice !== "reject") {
        reject(here, take);
        return;
      }
      decideByKey(here, take, event.key);
    }
  }
}
async function decideByKey(article, take, key) {
  if (key === "s") {
    const star = !take.star;
    if (await decide(article, take, {star})) toast((star ? "Starred " : "Star taken away from ") + take.slot);
    return;
  }
  const undo = take.choice === (key === "p" ? "pick" : "reject");
  if (await decide(article, take, {decision: undo ? "none" : "pick"}))
    toast(undo ? "Taken back" : "Picked " + take.slot);
}
$("#search").addEventListener("keydown", event => {
  if (event.key === "Escape") {
    hit(event).value = "";
    sift();
    hit(event).blur();
  }
});
