// Found by #include; the vocabulary itself is force-included afterwards (shim.h).
