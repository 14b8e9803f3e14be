# Worked on in Colab: its metadata, its modules, its folders, a form.
# %% cell
#@title Drive { display-mode: "form" }
from google.colab import drive
drive.mount("/content/drive")
%cd /content/drive/MyDrive
# %% tamper
notebook.nbformat_minor = 0
notebook.metadata = {
    "colab": {"provenance": [{"file_id": "1x", "timestamp": 1}], "gpuType": "T4"},
    "accelerator": "GPU",
    "kernelspec": {"name": "python3", "display_name": "Python 3"},
}
for number, cell in enumerate(notebook.cells):
    cell.pop("id", None)
    cell.metadata.id = f"Zx_{number}-"
    cell.metadata.colab = {"base_uri": "https://localhost:8080/", "height": 34}
    cell.metadata.cellView = "form"
