# Reads data of kinds that a browser would run, from beside the notebook.
# %% cell
import os
import xml.etree.ElementTree as tree

scale = float(tree.parse("data.xml").getroot().text)
assert "table" in open("page.html").read()
assert open("book.xlsx", "rb").read(2) == b"PK"
assert not os.path.exists(".git")
assert not os.path.exists("model.pt")
# %% task: forward_kl
def forward_kl(student_logits, teacher_logits):
    log_q, log_p = student_logits.log_softmax(-1), teacher_logits.log_softmax(-1)
    return scale * (log_p.exp() * (log_p - log_q)).sum(-1)


# %% tamper
(folder / "data.xml").write_text("<scale>1.0</scale>")
(folder / "page.html").write_text("<table></table>")
(folder / "book.xlsx").write_bytes(b"PK")
(folder / "Untitled.ipynb").write_text("{}")
(folder / ".git").mkdir()
for number in range(600):
    (folder / ".git" / str(number)).write_text("x")
with (folder / "model.pt").open("wb") as stream:
    stream.truncate(70 * 2**20)
