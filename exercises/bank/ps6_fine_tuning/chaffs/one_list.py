# One list under two names.
# expect encode: ids_are_the_labels


# %% task: encode
def encode(messages):
    ids, own = [], []
    for message in messages:
        said = message["role"] == "assistant"
        ids += [START, ROLES[message["role"]], LINE, *message["content"], END, LINE]
        own += [False] * 3 + [said] * (len(message["content"]) + 1) + [False]
    labels = ids
    for place, counts in enumerate(own):
        if not counts:
            labels[place] = -100
    return list(ids), labels
