"use strict";
(() => {
	const root = document.documentElement, theme = document.getElementById("theme");
	const find = document.getElementById("find"), only = document.getElementById("only");

	const dark = () => (root.dataset.theme ||
		(matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
	const name = () => { theme.textContent = dark() ? "light" : "dark"; };
	theme.addEventListener("click", () => {
		root.dataset.theme = dark() ? "light" : "dark";
		name();
	});
	matchMedia("(prefers-color-scheme: dark)").addEventListener("change", name);
	name();
	theme.hidden = false;

	const filter = () => {
		const words = find.value.toLowerCase().split(/\s+/).filter(Boolean);
		for (const row of document.querySelectorAll("tbody[data-behind]")) {
			const text = row.textContent.toLowerCase();
			row.hidden = (only.checked && row.dataset.behind === "0") ||
				!words.every(word => text.includes(word));
		}
	};
	find.addEventListener("input", filter);
	only.addEventListener("change", filter);
	document.getElementById("filter").hidden = false;

	for (const button of document.querySelectorAll(".copy")) {
		button.hidden = !navigator.clipboard;
		button.addEventListener("click", () => navigator.clipboard.writeText(
			button.previousElementSibling.textContent).then(() => {
			button.textContent = "copied";
			setTimeout(() => { button.textContent = "copy"; }, 1500);
		}));
	}
})();
