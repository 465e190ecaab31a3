// Finding in the list of contracts; without this the list is whole.
const find = document.getElementById("find");
const rows = [...document.querySelectorAll("[data-find]")];
const show = () => {
  const words = find.value.toLowerCase().split(/\s+/).filter(Boolean);
  let count = 0;
  for (const row of rows) {
    row.hidden = !words.every((word) => row.dataset.find.includes(word));
    count += !row.hidden;
  }
  document.getElementById("found").textContent = `${count} of ${rows.length} contracts`;
};
find.addEventListener("input", show);
document.getElementById("search").hidden = false;
show();
