let waiting = false;
async function again() {
  waiting = false;
  const page = new DOMParser().parseFromString(await (await fetch("/")).text(), "text/html");
  document.querySelector("main").replaceChildren(...page.querySelectorAll("main > :not(script)"));
}
new EventSource("/events").onmessage = () => {
  if (!waiting) { waiting = true; setTimeout(again, 250); }
};
