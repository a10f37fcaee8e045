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
    method.prepend(button);
  }
}

addCopyButtons();
