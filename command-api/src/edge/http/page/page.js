const KEPT = 200;
const main = document.querySelector("main");
const log = document.getElementById("log");
const lost = document.getElementById("lost");
let last = main.dataset.last;

function shown(id, event) {
  const now = document.createElement("template");
  now.innerHTML = JSON.parse(event.data).html;
  renew(document.getElementById(id), now.content);
}

// Only what differs is replaced: what somebody is about to click, or has marked, stays.
function renew(old, now) {
  const [olds, nows] = [[...old.children], [...now.children]];
  if (olds.length !== nows.length) return old.replaceChildren(...now.childNodes);
  olds.forEach((child, place) => {
    const other = nows[place];
    if (child.isEqualNode(other)) return;
    // Here an element has elements in it or text, never both.
    if (child.children.length > 0 && child.cloneNode().isEqualNode(other.cloneNode())) renew(child, other);
    else child.replaceWith(other);
  });
}

function grown(event) {
  last = event.lastEventId;
  log.insertAdjacentHTML("afterbegin", JSON.parse(event.data).html);
  while (log.children.length > KEPT) log.lastElementChild.remove();
}

function watch() {
  const query = new URLSearchParams(location.search);
  query.set("after_id", last);
  const source = new EventSource("/events?" + query);
  source.addEventListener("accounts", (event) => shown("accounts", event));
  source.addEventListener("journal", (event) => shown("journal", event));
  source.addEventListener("log", grown);
  source.onopen = () => (lost.hidden = true);
  source.onerror = () => {
    lost.hidden = false;
    if (source.readyState === EventSource.CLOSED) setTimeout(again, 10000);
  };
}

// Refused, not lost: the pass is over, or too many watch. Where the server shows the page, that itself says it.
function again() {
  fetch("/", { method: "HEAD" }).then((answer) => (answer.ok ? location.reload() : watch()), watch);
}
watch();
