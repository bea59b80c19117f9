// How elements and numbers are made: texts are never markup.
const SVG = "http://www.w3.org/2000/svg";

function make(element, attributes, ...children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value !== null && value !== undefined && value !== "") element.setAttribute(name, value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== ""));
  return element;
}

const el = (tag, attributes, ...children) => make(document.createElement(tag), attributes, ...children);
const svg = (tag, attributes, ...children) => make(document.createElementNS(SVG, tag), attributes, ...children);
const range = (count) => Array.from({ length: count }, (_, i) => i);

// As formatting.significant: three significant digits, at least, in fixed-point
function significant(value, digits = 3) {
  if (!Number.isFinite(value)) return "–";
  const whole = value ? Math.floor(Math.log10(Math.abs(value))) + 1 : 1;
  const places = Math.min(20, Math.max(0, digits - whole));
  return value.toLocaleString("en-US", { minimumFractionDigits: places, maximumFractionDigits: places });
}
