(() => {
  "use strict";
  // include make_text.js

  function start(root) {
    const data = JSON.parse(root.querySelector('script[type="application/json"]').textContent);
    const { changes, lines, parameters, scores } = data;
    const whole = (number) => number.toLocaleString("en-US");
    let state = 0; // bit i: change i is made

    // ---- every node is made once; later only texts and classes change
    const bar = make("div", "mb-bar", root);
    make("span", "mb-title", bar, data.title);
    const boxes = changes.map((name, index) => {
      const label = make("label", "", bar);
      const box = make("input", "", label);
      box.type = "checkbox";
      label.append(name);
      box.addEventListener("change", () => { state ^= 1 << index; show(); });
      return box;
    });
    for (const [name, value] of [["BERT", 0], ["ModernBERT", parameters.length - 1]]) {
      const button = make("button", "", bar, name);
      button.type = "button";
      button.addEventListener("click", () => { state = value; show(); });
    }
    const flow = make("div", "mb-flow", root);
    const numbers = make("div", "mb-numbers", root);
    const counted = make("span", "", numbers);
    const scored = make("span", "", numbers);
    numbers.setAttribute("aria-live", "polite");
    const code = make("div", "mb-code", root);
    const rows = lines.map((line) => {
      const row = make("div", "", code);
      make("i", "", row, line.number);
      row.append(line.text);
      return row;
    });

    const is = (name) => (state >> changes.indexOf(name)) & 1;
    function steps() { // [what stands in the box, the changes that shaped it]
      const norm = (on) => [["norm", ["pre-norm"], on]];
      const pre = is("pre-norm");
      const input = ["tokens", ...(is("RoPE") ? [] : ["positions"]), ...(is("no segments") ? [] : ["segments"])];
      const attention = "attention" + (is("RoPE") ? ", RoPE" : "") +
        (is("alternating attention") ? ", 2 of 3 layers local" : "") + (is("no biases") ? "" : ", biases");
      const forward = (is("GeGLU") ? "GeGLU" : "GELU layer") + (is("no biases") ? "" : ", biases");
      return [
        [input.join(" + "), ["RoPE", "no segments"]],
        ["norm", []],
        ["each block:", null],
        ...(pre ? norm() : []),
        [attention, ["RoPE", "alternating attention", "no biases"]],
        ["add x", []],
        ...(pre ? [] : [["norm", []]]),
        ...(pre ? norm() : []),
        [forward, ["GeGLU", "no biases"]],
        ["add x", []],
        ...(pre ? [] : [["norm", []]]),
        ["after the last block:" + (pre ? " norm" : " nothing"), ["pre-norm"]],
        [`hide ${is("30 % masked") ? 30 : 15} %`, ["30 % masked"]],
      ];
    }
    function show() {
      boxes.forEach((box, index) => { box.checked = Boolean((state >> index) & 1); });
      flow.replaceChildren();
      steps().forEach(([text, by], index) => {
        if (index) make("span", "", flow, "→");
        make("span", by === null ? "" : by.some(is) ? "mb-step mb-new" : "mb-step", flow, text);
      });
      lines.forEach((line, index) => {
        const made = line.change !== null && ((state >> line.change) & 1);
        const runs = line.change === null || Boolean(made) === line.on;
        rows[index].className = (runs ? "" : "mb-off") + (runs && made ? " mb-new" : "");
      });
      const difference = parameters[state] - parameters[0];
      counted.innerHTML = `parameters at BERT-base's size: <b>${whole(parameters[state])}</b> ` +
        `(${difference < 0 ? "−" : "+"}${whole(Math.abs(difference))})`;
      scored.innerHTML = "bits per byte of the small model: " +
        (state in scores ? `<b>${scores[state].toFixed(3)}</b>` : "<b>not measured</b> in this combination");
    }
    root.dataset.live = "";
    show();
  }
  for (const root of document.querySelectorAll(".mb-block:not([data-live])")) start(root);
})();
