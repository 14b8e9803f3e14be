# Writes its output to a file, closes that, and goes on; takes its streams away.
# %% cell
import sys
sys.stdout = open("log.txt", "w")
print("into the file")
sys.stdout.close()
# %% cell
sys.stderr = None
# %% cell
sys.stdout.close()
sys.stderr.close()
# %% cell
print("seen again")
