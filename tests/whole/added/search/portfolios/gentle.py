def _in_space_2():
    cnn = dict(arch="cnn", width=1.0, depth=1, head=32, p_colour=0.0)
    common = dict(optimizer="adam", schedule="constant", batch_size=100, epochs=5, label_smoothing=0.0)
    plain = dict(horizontal_flip=0.0, vertical_flip=0.0, rotate=0.0, weight_decay=0.0, lr=1e-3)
    return {"cnn": common | plain | cnn}


def _in_space_3():
    return {"fast cnn": dict(arch="cnn", lr=0.01, epochs=2)}


POINTS = {2: _in_space_2, 3: _in_space_3}
