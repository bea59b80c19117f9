"use strict";
// Begins: unpacks what the page holds (see packed.py), Plotly and the page's own script among it.
const BASE_85 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%&()*+-;.=>?@^_`{|}~";

function bytesOf(text) {
  const digit = new Uint8Array(128).fill(84);
  [...BASE_85].forEach((letter, i) => { digit[letter.charCodeAt(0)] = i; });
  const short = (5 - text.length % 5) % 5, count = (text.length + short) / 5;
  const found = new DataView(new ArrayBuffer(4 * count));
  for (let i = 0, k = 0; i < count; i++) {
    let number = 0;
    for (let j = 0; j < 5; j++, k++) number = number * 85 + (k < text.length ? digit[text.charCodeAt(k)] : 84);
    found.setUint32(4 * i, number);
  }
  return new Uint8Array(found.buffer, 0, 4 * count - short);
}

async function unpack(element) {
  const packed = new Blob([bytesOf(element.textContent.trim())]).stream();
  return new Response(packed.pipeThrough(new DecompressionStream("deflate"))).text();
}

// The content security policy knows these scripts by their hashes
async function start() {
  for (const packed of document.querySelectorAll("script[data-script]")) {
    const script = document.createElement("script");
    script.textContent = await unpack(packed);
    document.head.append(script);
  }
}

if ("DecompressionStream" in window) start();
else document.querySelector("main").prepend("Figures and limits need a browser of 2023 or later. ");
