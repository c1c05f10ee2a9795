# Publica aunque el broker o la Wi-Fi se vayan un rato: umqtt.robust vuelve a conectar solo.
import time
from binascii import hexlify

import machine
import network
from umqtt.robust import MQTTClient

# Tu red Wi-Fi. Wokwi-GUEST es la de la placa simulada: existe siempre y no tiene contraseña.
RED = "Wokwi-GUEST"
CLAVE = ""

BROKER = "test.mosquitto.org"

PLACA = hexlify(machine.unique_id()).decode()
TEMA = "umqtt/" + PLACA + "/cuenta"


def conectar_wifi():
    wifi = network.WLAN(network.STA_IF)
    wifi.active(True)
    if not wifi.isconnected():
        print("Conectando con la red", RED)
        wifi.connect(RED, CLAVE)
        inicio = time.ticks_ms()
        while not wifi.isconnected():
            if time.ticks_diff(time.ticks_ms(), inicio) > 15000:
                raise OSError("la red " + RED + " no responde: revisa RED y CLAVE")
            time.sleep_ms(100)
    print("Conectada, mi dirección es", wifi.ifconfig()[0])

class Cliente(MQTTClient):
    # Segundos entre un intento y el siguiente.
    DELAY = 1

    def log(self, conectando, error):
        # umqtt.robust llama aquí con cada error, en lugar de dejar que acabe el programa.
        print("Sin conexión," if conectando else "Conexión perdida,", "lo intento otra vez:", error)


def main():
    conectar_wifi()
    cliente = Cliente("robusto-" + PLACA, BROKER, keepalive=60)
    # clean_session=False: el broker recuerda quiénes somos mientras no estamos.
    cliente.connect(clean_session=False)
    print("Publico en", TEMA)
    cuenta = 0
    try:
        while True:
            cuenta += 1
            # Con QoS 1 publish() espera a que el broker confirme; si no confirma, robust conecta y lo repite.
            cliente.publish(TEMA.encode(), str(cuenta).encode(), qos=1)
            print("Confirmado:", cuenta)
            time.sleep(1)
    finally:
        cliente.disconnect()


if __name__ == "__main__":
    main()
