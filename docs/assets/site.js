"use strict";

// A button that copies the TensorFlow 2 side of a method.
function addCopyButtons() {
  for (const method of document.querySelectorAll(".sbs-method")) {
    const lines = method.querySelectorAll(".sbs-second .sbs-line");
    if (!lines.length) continue;
    const button = document.createElement("button");
    button.type = "button";
    button.className = "sbs-copy";
    button.textContent = "Copy TensorFlow 2";
    button.addEventListener("click", async () => {
      const code = [...lines].map((line) => line.textContent).join("");
      await navigator.clipboard.writeText(code);
      button.textContent = "Copied";
      setTimeout(() => { button.textContent = "Copy TensorFlow 2"; }, 2000);
    });
    method.closest("section").querySelector(".sbs-head").append(button);
  }
}

addCopyButtons();

// The quiz: says whether the chosen answer is right, and keeps count.
function startQuiz() {
  const forms = [...document.querySelectorAll("form.quiz")];
  const score = document.querySelector("#score");
  for (const form of forms) {
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const chosen = form.querySelector("input:checked");
      const said = form.querySelector(".said");
      const right = chosen && chosen.value === form.dataset.right;
      form.classList.toggle("right", Boolean(right));
      form.classList.toggle("wrong", Boolean(chosen && !right));
      if (!chosen) said.textContent = "Choose an answer first.";
      else said.textContent = right ? "Right." : "No. Try again, or look.";
      if (right) form.querySelector("details").open = true;
      const solved = forms.filter((one) => one.classList.contains("right"));
      if (score) {
        score.textContent = `${solved.length} of ${forms.length} right`;
      }
    });
  }
}

startQuiz();

// A field above the symbols, or the messages, that leaves what contains all
// of the words in it.
function addFinder() {
  const rows = [...document.querySelectorAll(".symbols tbody tr, .message")];
  const start = document.querySelector(".md-content h2, .messages");
  if (!rows.length) return;
  const finder = document.createElement("form");
  finder.className = "finder";
  finder.innerHTML = '<label for="find">Find</label>'
    + '<input id="find" type="search" autocomplete="off" spellcheck="false">'
    + "<output for=\"find\"></output>";
  const [field, said] = finder.querySelectorAll("input, output");
  const texts = rows.map((row) => row.textContent.toLowerCase());
  const find = () => {
    const words = field.value.toLowerCase().split(/[\s'"`]+/);
    let count = 0;
    rows.forEach((row, place) => {
      row.hidden = !words.every((word) => texts[place].includes(word));
      count += !row.hidden;
    });
    said.textContent = `${count} of ${rows.length}`;
  };
  field.addEventListener("input", find);
  finder.addEventListener("submit", (event) => event.preventDefault());
  start.before(finder);
  find();
}

addFinder();

// What the theme leaves unnamed, for those who hear the page.
function nameLandmarks() {
  document.querySelector(".md-search")?.setAttribute("aria-label", "Search");
  document.querySelectorAll("nav.md-code__nav").forEach((tools, place) => {
    tools.setAttribute("aria-label", `Code ${place + 1}`);
  });
}

nameLandmarks();
new MutationObserver(nameLandmarks).observe(document.body, {
  childList: true, subtree: true,
});
