"use strict";
const $ = id => document.getElementById(id);
const sheet = $("sheet"), pen = sheet.getContext("2d"), SIZE = sheet.width, WIDTH = SIZE / 12;
const colour = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

/* The drawing is kept as strokes, so that it can be redrawn in another colour scheme. A picture
   that was opened is kept with its file, which is sent again after an undo. `boxes` are those of
   the digits of a number. */
let strokes = [], picture = null, file = null, boxes = [];
let cursor = { x: SIZE / 2, y: SIZE / 2, down: false, shown: false };

function placeOfPicture() {
  const scale = Math.min(SIZE / picture.width, SIZE / picture.height);
  const [w, h] = [picture.width * scale, picture.height * scale];
  return { left: (SIZE - w) / 2, top: (SIZE - h) / 2, w, h, scale };
}

/* Paints the sheet; `isWhole` with what is not part of the drawing: boxes and the cursor. */
function paint(isWhole) {
  pen.fillStyle = colour("--sheet");
  pen.fillRect(0, 0, SIZE, SIZE);
  if (picture) {
    const { left, top, w, h } = placeOfPicture();
    pen.drawImage(picture, left, top, w, h);
  }
  pen.strokeStyle = pen.fillStyle = colour("--ink");
  pen.lineWidth = WIDTH;
  pen.lineCap = pen.lineJoin = "round";
  for (const stroke of strokes) {
    pen.beginPath();
    pen.moveTo(stroke[0].x, stroke[0].y);
    for (const point of stroke) pen.lineTo(point.x, point.y);
    pen.stroke();
  }
  if (!isWhole) return;
  const { left, top, scale } = picture ? placeOfPicture() : { left: 0, top: 0, scale: 1 };
  pen.strokeStyle = colour("--accent");
  pen.lineWidth = 4;
  for (const { box: [x, y, w, h], unsure } of file && !picture ? [] : boxes) {
    pen.setLineDash(unsure ? [12, 12] : []);
    pen.strokeRect(left + x * scale - 6, top + y * scale - 6, w * scale + 12, h * scale + 12);
  }
  pen.setLineDash([]);
  if (cursor.shown) {
    pen.beginPath();
    pen.arc(cursor.x, cursor.y, cursor.down ? WIDTH / 2 : WIDTH / 1.4, 0, 7);
    pen.stroke();
  }
}

/* What was on the sheet before each stroke, opened picture and clearing, for undo. */
let before = [];
function remember() {
  before.push({ strokes: strokes.slice(), picture, file });
  if (before.length > 100) before.shift();
  showUndo();
}
function showUndo() {
  $("undo").setAttribute("aria-disabled", String(!before.length));
}
function undo() {
  if (!before.length) return;
  pointer = null;
  cursor.down = false;
  ({ strokes, picture, file } = before.pop());
  showUndo();
  classifyAgain();
}

/* The token of a server that needs one, until the browser's tab is closed. */
let token = sessionStorage.getItem("token");
function send(path, blob) {
  const headers = token ? { Authorization: "Bearer " + token } : {};
  return fetch(path, { method: "POST", body: blob, headers });
}
async function ask(query, blob) {
  try {
    const response = await send("predict?" + query, blob);
    $("access").hidden = response.status !== 401;
    return { status: response.status, ...await response.json() };
  } catch {
    return { error: "the server can't be reached; your drawing is sent again with the next stroke" };
  }
}

/* A drawing in which several digits are seen is sent again, as a number. Of an opened picture, what
   is beside the digit may look like one, so that the digit is preferred to a number with unsure
   digits. A picture too large to be searched for several is read as one digit. Only the response to
   the latest request is shown. */
let latestRequest = 0;
async function classify(blob, id) {
  let answer = await ask("layers=true&count=true", blob);
  if (answer.status === 413 && id === latestRequest) answer = await ask("layers=true", blob);
  if (answer.digits_seen && id === latestRequest) {
    const number = await ask("many=true", blob), digits = number.digits || [];
    if (digits.length > 1 && !(file && digits.some(each => each.unsure))) answer = number;
  }
  if (id === latestRequest) show(answer);
}

function classifyAgain() {
  const id = ++latestRequest;
  boxes = [];
  paint(false);
  if (file) classify(file, id);
  else if (strokes.length) sheet.toBlob(blob => classify(blob, id), "image/png");
  else show({});
  paint(true);
}

$("access").addEventListener("submit", event => {
  event.preventDefault();
  token = $("token").value.trim();
  sessionStorage.setItem("token", token);
  classifyAgain();
});

const percent = p => (Math.floor(p * 1e4) / 100).toFixed(2) + " %";

function show(result) {
  const digits = result.digits || [], isNumber = digits.length > 1;
  const hasDigit = Number.isInteger(result.digit);
  const isUnsure = isNumber ? digits.some(digit => digit.unsure) : result.unsure;
  const text = isNumber ? result.number : hasDigit ? String(result.digit) : "–";
  $("digit").textContent = text;
  $("digit").className = isNumber ? "number" : hasDigit ? "" : "none";
  const least = percent(Math.min(...digits.map(digit => digit.confidence)));
  const answer = isNumber
    ? `${text.replaceAll("\n", ", ")}: ${digits.length} digits, each with at least ${least} confidence`
    : `${text} with ${percent(result.confidence)} confidence`;
  $("message").textContent = isNumber || hasDigit ? answer.replaceAll(" %", "\u00a0%") + (isUnsure ? " (unsure)" : "")
    : result.error ? result.error[0].toUpperCase() + result.error.slice(1) + "." : "Nothing drawn yet.";
  $("message").className = result.error ? "failed" : "";
  if (result.model) showModel(result.model);
  boxes = isNumber ? digits : [];
  showBars(isNumber ? digits.map(each => ({ digit: each.digit, share: each.confidence, isFirst: true }))
    : [...Array(10).keys()].map(digit => ({
      digit, share: hasDigit ? result.probabilities[digit] : null, isFirst: hasDigit && digit === result.digit,
    })));
  $("details-title").textContent = isNumber ? "Confidence of each digit of the number" : "Probability of each digit";
  shown = hasDigit ? result : null;
  showCorrection(hasDigit);
  showLayers();
  if (isNumber) $("activity").textContent = "The activations are shown for drawings of one digit.";
  paint(true);
  document.body.dataset.answered = latestRequest;
}

/* Corrections, where the server collects them: the answer to one digit is right, or another is. */
for (let digit = 0; digit < 10; digit++) {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = digit;
  button.addEventListener("click", () => correct(digit));
  $("digits").append(button);
}
function showDigits(isOpen) {
  $("digits").hidden = !isOpen;
  $("wrong").setAttribute("aria-expanded", String(isOpen));
}
function showCorrection(hasDigit) {
  $("right").disabled = $("wrong").disabled = !hasDigit;
  showDigits(false);
  $("thanks").textContent = "The picture is kept on the server for training if you press one.";
}
async function correct(digit) {
  const blob = file || await new Promise(done => { paint(false); sheet.toBlob(done, "image/png"); paint(true); });
  let text;
  try {
    const response = await send("correction?digit=" + digit, blob);
    text = response.ok ? `Kept as a ${digit}. Thank you.` : "Not kept: " + (await response.json()).error + ".";
    if (response.ok) {
      $("right").disabled = $("wrong").disabled = true;
      showDigits(false);
    }
  } catch {
    text = "Not kept: the server can't be reached.";
  }
  $("thanks").textContent = text;
}
$("right").addEventListener("click", () => correct(shown.digit));
$("wrong").addEventListener("click", () => showDigits($("digits").hidden));

function showBars(rows) {
  const list = $("bars");
  while (list.children.length > rows.length) list.lastChild.remove();
  while (list.children.length < rows.length) {
    const item = document.createElement("li");
    item.innerHTML = "<span></span><span class=\"track\"><div class=\"bar\"></div></span><span class=\"share\"></span>";
    list.append(item);
  }
  rows.forEach(({ digit, share, isFirst }, index) => {
    const item = list.children[index];
    item.className = isFirst ? "first" : "";
    item.firstChild.textContent = digit;
    item.querySelector(".bar").style.width = 100 * (share || 0) + "%";
    item.querySelector(".share").textContent = share === null ? "" : percent(share);
  });
}

/* The last part of a path, which is in the element's title as a whole. */
function showModel(name) {
  $("model").textContent = name.split(/[\\/]/).filter(part => part).pop() || name;
  $("model").title = name;
}

/* Layers: one cell per value. All cells have the same size, so that narrower layers are smaller. */
let shown = null;
const SHAPES = [["picture", 784], ["fc1", 256], ["fc2", 128], ["fc3", 64], ["fc4", 10]];

function columns(count, isLast) {
  if (isLast) return 1;
  const root = Math.ceil(Math.sqrt(count));
  for (let c = root; c <= 2 * root; c++) if (count % c === 0) return c;
  return root;
}

function mix(a, b, share) {
  const parse = hex => hex.length === 4 ? [...hex.slice(1)].map(c => parseInt(c + c, 16))
    : [1, 3, 5].map(at => parseInt(hex.slice(at, at + 2), 16));
  const [from, to] = [parse(a), parse(b)];
  return from.map((value, i) => Math.round(value + (to[i] - value) * share));
}

function showLayers() {
  const layers = shown
    ? [{ name: "picture", values: shown.pixels }, ...shown.layers]
    : SHAPES.map(([name, count]) => ({ name, values: new Array(count).fill(0) }));
  const box = $("layers");
  box.replaceChildren();
  const descriptions = [];
  layers.forEach((layer, index) => {
    const isLast = index === layers.length - 1, count = layer.values.length;
    const across = columns(count, isLast), down = Math.ceil(count / across);
    const canvas = document.createElement("canvas");
    canvas.width = across;
    canvas.height = down;
    const cell = isLast ? 14 : matchMedia("(max-width: 42rem)").matches ? 5 : 7;
    canvas.style.width = across * cell + "px";
    canvas.style.height = down * cell + "px";
    const context = canvas.getContext("2d"), image = context.createImageData(across, down);
    /* Softmax ignores the mean of the logits: only what is above or below it is for or against. */
    const mean = isLast ? layer.values.reduce((sum, value) => sum + value, 0) / count : 0;
    const values = layer.values.map(value => value - mean);
    const largest = Math.max(1e-9, ...values.map(Math.abs));
    const empty = colour("--cell"), up = colour("--for"), below = colour("--against");
    values.forEach((value, i) => {
      const [r, g, b] = index === 0 ? mix("#000000", "#ffffff", value)
        : mix(empty, value < 0 ? below : up, Math.sqrt(Math.abs(value) / largest));
      image.data.set([r, g, b, 255], 4 * i);
    });
    if (shown || index > 0) context.putImageData(image, 0, 0);
    const active = layer.values.filter(value => value > 0).length;
    descriptions.push(`${layer.name}: ${active} of ${count} above 0`);
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", shown ? descriptions[index] : `${layer.name}: ${count} values`);
    const figure = document.createElement("figure"), caption = document.createElement("figcaption");
    caption.textContent = index === 0 ? "28 × 28 = 784" : isLast ? `${count} logits` : count;
    figure.append(canvas, caption);
    if (isLast && count === 10) {
      const digits = document.createElement("div");
      digits.className = "digits";
      digits.setAttribute("aria-hidden", "true");
      digits.textContent = "0 1 2 3 4 5 6 7 8 9";
      canvas.after(digits);
    }
    if (index) {
      const arrow = document.createElement("span");
      arrow.className = "arrow";
      arrow.textContent = "→";
      arrow.setAttribute("aria-hidden", "true");
      box.append(arrow);
    }
    box.append(figure);
  });
  $("activity").textContent = shown
    ? "Stronger colours are further from 0. Active (above 0): " +
      descriptions.slice(1, -1).map(text => text.replace(" above 0", "")).join(", ") + "."
    : "";
}

/* Drawing with a pointer. */
let pointer = null;
function position(event) {
  const box = sheet.getBoundingClientRect();
  const scale = SIZE / box.width;
  return { x: (event.clientX - box.left) * scale, y: (event.clientY - box.top) * scale };
}
function beginStroke(point) {
  remember();
  if (file) { picture = file = null; strokes = []; }
  boxes = [];
  strokes.push([point]);
}
sheet.addEventListener("pointerdown", event => {
  if (event.button !== 0 || pointer !== null) return;
  pointer = event.pointerId;
  sheet.setPointerCapture(pointer);
  cursor.shown = cursor.down = false;
  beginStroke(position(event));
  paint(true);
});
sheet.addEventListener("pointermove", event => {
  if (event.pointerId !== pointer) return;
  const moves = event.getCoalescedEvents ? event.getCoalescedEvents() : [];
  for (const move of moves.length ? moves : [event]) strokes.at(-1).push(position(move));
  paint(true);
});
for (const end of ["pointerup", "pointercancel"]) sheet.addEventListener(end, event => {
  if (event.pointerId !== pointer) return;
  pointer = null;
  classifyAgain();
});

/* Drawing with the keyboard. */
const STEPS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
sheet.addEventListener("keydown", event => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const step = STEPS[event.key];
  if (step) {
    const length = event.shiftKey ? 1 : 4;
    const clamp = value => Math.min(SIZE - WIDTH, Math.max(WIDTH, value));
    cursor.x = clamp(cursor.x + step[0] * length * SIZE / 100);
    cursor.y = clamp(cursor.y + step[1] * length * SIZE / 100);
    if (cursor.down) strokes.at(-1).push({ x: cursor.x, y: cursor.y });
  } else if (event.key === " ") {
    cursor.down = !cursor.down;
    if (cursor.down) beginStroke({ x: cursor.x, y: cursor.y }); else classifyAgain();
  } else if (event.key === "Delete" || event.key === "Backspace") {
    clear();
  } else {
    return;
  }
  cursor.shown = true;
  event.preventDefault();
  paint(true);
});
sheet.addEventListener("blur", () => {
  const wasDown = cursor.down;
  cursor.shown = cursor.down = false;
  paint(true);
  if (wasDown) classifyAgain();
});
addEventListener("keydown", event => {
  const isUndo = (event.ctrlKey || event.metaKey) && !event.shiftKey && !event.altKey && event.key.toLowerCase() === "z";
  if (!isUndo) return;
  event.preventDefault();
  undo();
});

/* Pictures: opened, dropped or pasted. The file is sent unchanged. */
async function openPicture(opened) {
  if (!opened) return;
  remember();
  strokes = [];
  boxes = [];
  file = opened;
  const id = ++latestRequest;
  try {
    picture = await createImageBitmap(opened);
  } catch {
    picture = null; /* TIFF and PNM: the server reads them, browsers do not display them */
  }
  paint(true);
  classify(opened, id);
}
$("open").addEventListener("click", () => $("file").click());
$("file").addEventListener("change", event => { openPicture(event.target.files[0]); event.target.value = ""; });
addEventListener("paste", event => openPicture(event.clipboardData.files[0]));
addEventListener("dragover", event => { event.preventDefault(); sheet.classList.add("dropping"); });
addEventListener("dragleave", () => sheet.classList.remove("dropping"));
addEventListener("drop", event => {
  event.preventDefault();
  sheet.classList.remove("dropping");
  openPicture(event.dataTransfer.files[0]);
});

function clear() {
  if (strokes.length || file) remember();
  strokes = [];
  picture = file = null;
  cursor.down = false;
  classifyAgain();
}
$("clear").addEventListener("click", clear);
$("undo").addEventListener("click", undo);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { paint(true); showLayers(); });
matchMedia("(max-width: 42rem)").addEventListener("change", showLayers);

showModel($("model").textContent);
clear();
