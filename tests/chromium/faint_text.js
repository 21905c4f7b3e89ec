/* Returns the texts of the page whose contrast with what is behind them is below 4.5, the least for
   text in WCAG 2.2 (success criterion 1.4.3), by its formula of relative luminance. */
const numbers = text => text.match(/[\d.]+/g).map(Number);
const luminance = colour => colour.slice(0, 3)
  .map(c => c / 255).map(c => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
  .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
const ground = element => {
  if (!element) return [255, 255, 255];
  const [r, g, b, alpha = 1] = numbers(getComputedStyle(element).backgroundColor);
  if (alpha === 1) return [r, g, b];
  return ground(element.parentElement).map((under, i) => under * (1 - alpha) + [r, g, b][i] * alpha);
};
const contrast = element => {
  const style = getComputedStyle(element);
  const colour = numbers(element.closest("svg") ? style.fill : style.color);
  if (colour[3] === 0) return 21;
  /* The first rectangle of a plot is its background. */
  const sheet = element.closest("svg")?.querySelector("rect");
  const behind = sheet ? numbers(getComputedStyle(sheet).fill) : ground(element);
  const [dark, light] = [colour, behind].map(luminance).sort((a, b) => a - b);
  return (light + 0.05) / (dark + 0.05);
};
const isText = element => !["STYLE", "SCRIPT"].includes(element.tagName)
  && [...element.childNodes].some(node => node.nodeType === 3 && node.data.trim());
return [...document.querySelectorAll("body *")]
  .filter(element => isText(element) && contrast(element) < 4.5)
  .map(element => `contrast ${contrast(element).toFixed(1)}: ${element.textContent.trim().slice(0, 40)}`);
