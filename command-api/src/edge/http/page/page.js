const KEPT = 200;
const main = document.querySelector("main");
const log = document.getElementById("log");
let last = main.dataset.last;

function shown(id, event) {
  document.getElementById(id).innerHTML = JSON.parse(event.data).html;
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
  source.onerror = () => {
    if (source.readyState === EventSource.CLOSED) setTimeout(again, 10000);
  };
}

// Refused, not lost: the pass is over, or too many watch. Where the server answers, the page itself says it.
function again() {
  fetch("/", { method: "HEAD" }).then(() => location.reload(), watch);
}
watch();
