# Sigue donde acaba publicar.py: con su cliente y su tema, y con el nombre del método mal escrito, como en una lección.
def al_llegar(tema, texto):
    print("Llega por {}: {}".format(tema, texto))


cliente.set_callback(al_llegar)
cliente.suscribe(TEMA)
